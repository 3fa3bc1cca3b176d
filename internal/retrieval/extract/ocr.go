package extract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	_ "image/gif"  // the size of a picture is looked at
	_ "image/jpeg" // before it is read
	"image/png"
	"io"
	"os/exec"
	"slices"
	"strings"

	"github.com/klippa-app/go-pdfium/requests"

	"portico/internal/retrieval/document"
)

// maxPixels is the largest picture that is read.
const maxPixels = 64_000_000

// FindTesseract gives the path of the OCR program, "" where it is not
// installed.
func FindTesseract() string {
	path, err := exec.LookPath("tesseract")
	if err != nil {
		return ""
	}
	return path
}

// errNoOCR is the error of what only OCR could read. what is in the plural.
func errNoOCR(what string) *Error {
	return &Error{Code: "unsupported", Detail: what + " can be read only where the program tesseract is installed, and here it is not. An administrator can install it; or upload the text itself."}
}

// readImage reads the text in a picture by OCR.
func readImage(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	opt := in.whole().parser.opt
	if opt.Tesseract == "" {
		return nil, errNoOCR("Images")
	}
	c, _, err := image.DecodeConfig(io.NewSectionReader(in.Content, 0, in.Size))
	switch {
	case errors.Is(err, image.ErrFormat): // tesseract knows more of them
	case err != nil:
		return nil, broken("image", err)
	case int64(c.Width)*int64(c.Height) > maxPixels:
		return nil, overLimit("pixels", "This image has %d × %d pixels; at most %d million are read.", c.Width, c.Height, maxPixels/1_000_000)
	}
	text, err := recognize(ctx, opt, io.NewSectionReader(in.Content, 0, in.Size), lim)
	if err != nil {
		return nil, err
	}
	b := newBuilder(lim)
	b.write(text)
	return b.done()
}

// recognize runs tesseract on a picture. Nothing is written to disk.
func recognize(ctx context.Context, opt Options, picture io.Reader, lim *Limits) (string, error) {
	args := []string{"stdin", "stdout", "-l", languages(ctx, opt), "--psm", "3"}
	if opt.TessData != "" {
		args = append(args, "--tessdata-dir", opt.TessData)
	}
	cmd := exec.CommandContext(ctx, opt.Tesseract, args...)
	var out, says bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = picture, &capped{b: &out, left: lim.Text}, &capped{b: &says, left: 4096}
	cmd.Env = []string{"OMP_THREAD_LIMIT=1"} // cores are the server's
	err := cmd.Run()
	switch {
	case ctx.Err() != nil:
		return "", context.Cause(ctx)
	case err != nil:
		return "", broken("image", fmt.Errorf("%w: %s", err, says.Bytes()))
	}
	return tidyOCR(out.String()), nil
}

// languages are those of English and Portuguese that are installed, or all that
// tesseract takes by itself.
func languages(ctx context.Context, opt Options) string {
	args := []string{"--list-langs"}
	if opt.TessData != "" {
		args = append(args, "--tessdata-dir", opt.TessData)
	}
	cmd := exec.CommandContext(ctx, opt.Tesseract, args...)
	cmd.Env = []string{}
	out, _ := cmd.Output()
	have := strings.Fields(string(out))
	var want []string
	for _, l := range [...]string{"eng", "por"} {
		if slices.Contains(have, l) {
			want = append(want, l)
		}
	}
	if len(want) == 0 {
		return "eng"
	}
	return strings.Join(want, "+")
}

// tidyOCR joins words broken at line ends and drops form feeds and runs of
// empty lines.
func tidyOCR(s string) string {
	var b strings.Builder
	empty := 0
	for line := range strings.Lines(strings.ReplaceAll(s, "\f", "\n")) {
		line = strings.TrimRight(line, " \r\n")
		if line == "" {
			empty++
			continue
		}
		if empty > 0 && b.Len() > 0 {
			b.WriteByte('\n')
		}
		empty = 0
		b.WriteString(line + "\n")
	}
	return b.String()
}

// capped keeps the first bytes and takes the others without a word.
type capped struct {
	b    *bytes.Buffer
	left int64
}

func (c *capped) Write(p []byte) (int, error) {
	n := min(int64(len(p)), c.left)
	c.left -= n
	c.b.Write(p[:n])
	return len(p), nil
}

// readPictures reads the pages of a PDF that are pictures by OCR; without it
// they are named in a warning, and a PDF of nothing else is an error.
func (f *pdfFile) readPictures(ctx context.Context, in *Input, opt Options, pages []pdfPage, pictures []int, b *builder) error {
	if opt.Tesseract == "" {
		text := slices.ContainsFunc(pages, func(p pdfPage) bool { return len(p.lines) > 0 })
		if !text {
			return errNoOCR("Scanned pages, such as all of this PDF,")
		}
		b.warn("Pages of this PDF that are pictures could not be read, since the program tesseract is not installed: " + pageList(pictures) + ".")
		return nil
	}
	for n, i := range pictures {
		picture, err := f.render(i)
		if err != nil {
			return err
		}
		text, err := recognize(ctx, opt, picture, &Limits{Text: b.most})
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err != nil {
			pages[i].broken = true
			continue
		}
		pages[i].read = text
		in.progress(len(pages)-len(pictures)+n+1, len(pages))
	}
	return nil
}

// render draws a page in the resolution that OCR likes, as PNG.
func (f *pdfFile) render(i int) (io.Reader, error) {
	const dpi, most = 300, 5000
	request := &requests.RenderPageInPixels{Page: requests.Page{ByIndex: &requests.PageByIndex{Document: f.doc, Index: i}}, Width: most, Height: most}
	if size, err := f.FPDF_GetPageSizeByIndex(&requests.FPDF_GetPageSizeByIndex{Document: f.doc, Index: i}); err == nil {
		request.Width = min(max(int(size.Width*dpi/72), 1), most)
		request.Height = min(max(int(size.Height*dpi/72), 1), most)
	}
	drawn, err := f.RenderPageInPixels(request)
	if err != nil {
		return nil, broken("PDF", err)
	}
	defer drawn.Cleanup()
	grey := image.NewGray(drawn.Result.Image.Bounds())
	draw.Draw(grey, grey.Rect, image.NewUniform(color.White), image.Point{}, draw.Src)
	draw.Draw(grey, grey.Rect, drawn.Result.Image, drawn.Result.Image.Bounds().Min, draw.Over)
	var out bytes.Buffer
	enc := png.Encoder{CompressionLevel: png.BestSpeed}
	if err := enc.Encode(&out, grey); err != nil {
		return nil, err
	}
	return &out, nil
}
