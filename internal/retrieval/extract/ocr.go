package extract

import "os/exec"

// FindTesseract gives the path of the OCR program, "" where it is not
// installed.
func FindTesseract() string {
	path, err := exec.LookPath("tesseract")
	if err != nil {
		return ""
	}
	return path
}
