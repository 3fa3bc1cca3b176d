package auth

import (
	"bytes"
	"encoding/base64"
	"strings"

	"portico/internal/errdefs"
)

// pictures are the kinds of profile image that are kept and served. SVG is not
// among them: it can carry a script.
var pictures = map[string]func([]byte) bool{
	"image/png":  func(b []byte) bool { return bytes.HasPrefix(b, []byte("\x89PNG\r\n\x1a\n")) },
	"image/jpeg": func(b []byte) bool { return bytes.HasPrefix(b, []byte("\xff\xd8\xff")) },
	"image/gif":  func(b []byte) bool { return bytes.HasPrefix(b, []byte("GIF8")) },
	"image/webp": func(b []byte) bool {
		return len(b) > 12 && string(b[:4]) == "RIFF" && string(b[8:12]) == "WEBP"
	},
}

// DecodeImage takes a profile image out of its data: address. What it says it
// is must be what it is.
func DecodeImage(address string) (mediaType string, picture []byte, err error) {
	head, data, ok := strings.Cut(strings.TrimPrefix(address, "data:"), ",")
	mediaType, encoding, _ := strings.Cut(head, ";")
	is := pictures[mediaType]
	if !ok || encoding != "base64" || is == nil {
		return "", nil, errImage()
	}
	picture, err = base64.StdEncoding.DecodeString(data)
	if err != nil || !is(picture) {
		return "", nil, errImage()
	}
	return mediaType, picture, nil
}

func errImage() error {
	return errdefs.New(errdefs.Unprocessable, "The profile image must be a PNG, JPEG, GIF or WebP picture.")
}
