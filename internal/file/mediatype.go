package file

import (
	"mime"
	"net/http"
	"strings"
)

// byExtension are the media types that clients ask for by name. Those of the
// machine that the server runs on would differ from one to the next.
var byExtension = map[string]string{
	"txt": "text/plain", "text": "text/plain", "log": "text/plain",
	"md": "text/markdown", "markdown": "text/markdown", "rst": "text/x-rst",
	"csv": "text/csv", "tsv": "text/tab-separated-values",
	"html": "text/html", "htm": "text/html", "css": "text/css", "js": "text/javascript",
	"json": "application/json", "xml": "application/xml", "yaml": "application/yaml", "yml": "application/yaml",
	"pdf": "application/pdf", "rtf": "application/rtf", "epub": "application/epub+zip", "zip": "application/zip",
	"doc": "application/msword", "xls": "application/vnd.ms-excel", "ppt": "application/vnd.ms-powerpoint",
	"docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
	"xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
	"pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
	"odt":  "application/vnd.oasis.opendocument.text",
	"ods":  "application/vnd.oasis.opendocument.spreadsheet",
	"odp":  "application/vnd.oasis.opendocument.presentation",
	"eml":  "message/rfc822", "msg": "application/vnd.ms-outlook",
	"png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif", "webp": "image/webp",
	"bmp": "image/bmp", "tif": "image/tiff", "tiff": "image/tiff", "svg": "image/svg+xml",
	"mp3": "audio/mpeg", "wav": "audio/wav", "ogg": "audio/ogg", "mp4": "video/mp4", "webm": "video/webm",
}

const unknownType = "application/octet-stream"

// mediaType keeps what a client said of a type. One that said nothing, or only
// that these are bytes, means what the name says, or else what the beginning
// of the file shows; "" when neither does.
func mediaType(said, name string, head []byte) string {
	media, _, err := mime.ParseMediaType(said)
	if err == nil && media != unknownType && len(media) <= maxName && strings.Contains(media, "/") {
		return media
	}
	if media, ok := byExtension[extension(name)]; ok {
		return media
	}
	if media, _, _ = mime.ParseMediaType(http.DetectContentType(head)); media != unknownType {
		return media
	}
	return ""
}
