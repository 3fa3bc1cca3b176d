package extract

import (
	"context"

	"portico/internal/retrieval/document"
)

// reader reads one format. What it returns is made by a builder; its errors
// are *Error where the file is to blame.
type reader func(ctx context.Context, in *Input, lim *Limits) (*document.Document, error)

// format is one kind of file.
type format struct {
	name  string // what people call it, as in "This PDF is damaged"
	exts  string // extensions without the dot, separated by spaces
	types string // media types that clients say
	text  bool   // it is text: any bytes that are text may be it
	read  reader // nil: known, and not read
	why   string // the sentence for those that are not read
}

// formats is every format that is known. The kinds that content shows (sniff)
// are found by name, the others by extension, then by what the client says.
// A function, since readers of archives come back to it.
func formats() []format {
	return []format{
		{name: "text", exts: "txt text log lst asc nfo srt vtt readme license", types: "text/plain", text: true, read: readText},
		{name: "Markdown", exts: "md markdown mdx mkd mdown qmd rmd", types: "text/markdown text/x-markdown", text: true, read: readMarkdown},
		{name: "CSV", exts: "csv", types: "text/csv application/csv", text: true, read: readCSV},
		{name: "TSV", exts: "tsv tab", types: "text/tab-separated-values", text: true, read: readTSV},
		{name: "JSON", exts: "json geojson webmanifest ipynb", types: "application/json text/json application/ld+json", text: true, read: readJSON},
		{name: "JSON lines", exts: "jsonl ndjson", types: "application/jsonl application/x-ndjson application/jsonlines", text: true, read: readJSONLines},
		{name: "HTML", exts: "html htm xhtml xht shtml", types: "text/html application/xhtml+xml", text: true, read: readHTML},
		{name: "XML", exts: "xml rss atom xsd xsl xslt wsdl svg kml gpx opml plist", types: "text/xml application/xml image/svg+xml application/rss+xml application/atom+xml", text: true, read: readXML},
		{name: "reStructuredText", exts: "rst rest", types: "text/x-rst text/prs.fallenstein.rst", text: true, read: readRST},
		{name: "source code", exts: codeExtensions, types: "text/javascript application/javascript application/x-sh application/x-python text/x-python text/css application/yaml application/x-yaml text/yaml application/toml application/sql", text: true, read: readCode},

		{name: "PDF", exts: "pdf", types: "application/pdf", read: readPDF},
		{name: "image", exts: "png jpg jpeg gif bmp tif tiff webp", types: "image/png image/jpeg image/gif image/bmp image/tiff image/webp", read: readImage},

		{name: "Word document", exts: "docx docm dotx", types: "application/vnd.openxmlformats-officedocument.wordprocessingml.document", read: readDOCX},
		{name: "Excel workbook", exts: "xlsx xlsm xltx", types: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", read: readXLSX},
		{name: "PowerPoint presentation", exts: "pptx pptm ppsx potx", types: "application/vnd.openxmlformats-officedocument.presentationml.presentation", read: readPPTX},
		{name: "OpenDocument text", exts: "odt ott fodt", types: "application/vnd.oasis.opendocument.text", read: readODF},
		{name: "OpenDocument spreadsheet", exts: "ods ots", types: "application/vnd.oasis.opendocument.spreadsheet", read: readODF},
		{name: "OpenDocument presentation", exts: "odp otp", types: "application/vnd.oasis.opendocument.presentation", read: readODF},
		{name: "RTF document", exts: "rtf", types: "application/rtf text/rtf", read: readRTF},
		{name: "EPUB book", exts: "epub", types: "application/epub+zip", read: readEPUB},
		{name: "mail", exts: "eml mht mhtml", types: "message/rfc822", read: readEML},
		{name: "Outlook message", exts: "msg", types: "application/vnd.ms-outlook", read: readMSG},
		{name: "ZIP archive", exts: "zip", types: "application/zip application/x-zip-compressed", read: readZIP},

		{name: "old Word document", exts: "doc dot", types: "application/msword", read: readDOC},
		{name: "old Excel workbook", exts: "xls xlt", types: "application/vnd.ms-excel", read: readXLS},
		{name: "old PowerPoint presentation", exts: "ppt pps", types: "application/vnd.ms-powerpoint", read: readPPT},
		{name: "encrypted Office file", why: "This Office file is protected by a password. Save it without one and upload it again."},
		{name: "Office file", why: "This Office file is of a kind that cannot be read. Save it as .docx, .xlsx, .pptx or PDF and upload it again."},
		{name: "video", why: "A video holds no text that can be read; it is stored as it is."},
		{name: "sound", why: "A sound file holds no text that can be read; it is stored as it is."},
		{name: "archive", why: "Archives other than ZIP are not read. Pack the files as .zip or upload them one by one."},
		{name: "program", why: "This file is a program, not a document; there is no text to read in it."},
		{name: "database", why: "This file is a database, not a document. Export what matters as CSV and upload that."},
		{name: "font", why: "This file is a font, not a document; there is no text to read in it."},
		{name: "unknown", why: "This file is neither text nor of a format that is known; there is no text to read in it."},
	}
}

// codeExtensions are read as source code, in blocks that are kept whole.
const codeExtensions = "go py pyi pyw java sh bash zsh fish bat cmd ps1 psm1 swift vb vbs js mjs cjs jsx ts tsx mts cts " +
	"c h cc cpp cxx hpp hxx hh m mm cs fs fsx rs rb php phtml pl pm lua r jl scala kt kts groovy gradle clj cljs ex exs erl hrl hs lhs ml mli " +
	"dart nim zig v sv vhd vhdl asm s sql proto thrift graphql gql sol tf hcl cmake mk makefile dockerfile vue svelte astro " +
	"css scss sass less styl yaml yml toml ini cfg conf properties env editorconfig gitignore diff patch tex bib sty adoc asciidoc org " +
	"lisp el scm rkt tcl awk sed f f90 f95 pas d db2 dsl xaml csproj sln coffee feature nix bzl bazel"
