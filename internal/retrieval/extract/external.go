package extract

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/textproto"
	"strings"
	"time"

	"portico/internal/hop"
	"portico/internal/retrieval/document"
)

// patience is how long an external engine may take for one file: Docling reads
// a page a second.
const patience = 10 * time.Minute

// external is an engine that an administrator configured. Files go out to it.
type external struct {
	up   *hop.Upstream
	lim  Limits
	name string
	// request makes the call for a file; text takes its answer apart.
	request func(in *Input) (*hop.Request, error)
	answer  func(b *builder, body []byte) error
}

// NewTika reads files by an Apache Tika server at up: PUT /tika/text, answered
// by {"X-TIKA:content": "…"}.
func NewTika(up *hop.Upstream, lim Limits) Extractor {
	return &external{up: up, lim: lim.WithDefaults(), name: "Tika", request: tikaRequest, answer: tikaAnswer}
}

// NewDocling reads files by a Docling server at up: POST /v1/convert/file,
// answered by {"document": {"md_content": "…"}, "status": "success"}. The key
// may be "".
func NewDocling(up *hop.Upstream, key string, lim Limits) Extractor {
	request := func(in *Input) (*hop.Request, error) { return doclingRequest(in, key) }
	return &external{up: up, lim: lim.WithDefaults(), name: "Docling", request: request, answer: doclingAnswer}
}

// Extract implements Extractor.
func (e *external) Extract(ctx context.Context, in Input) (*document.Document, error) {
	if in.Size <= 0 {
		return nil, &Error{Code: "empty", Detail: "This file is empty."}
	}
	req, err := e.request(&in)
	if err != nil {
		return nil, err
	}
	req.Timeouts = hop.Timeouts{FirstByte: patience, Idle: patience, Total: patience}
	res, err := e.up.Do(ctx, req)
	if err != nil {
		return nil, e.failed(ctx, err)
	}
	defer res.Close()
	body, err := res.ReadAll(nil, 2*e.lim.Text)
	switch {
	case err != nil:
		return nil, e.failed(ctx, err)
	case res.Status == 400 || res.Status == 415 || res.Status == 422:
		return nil, &Error{Code: "unsupported", Detail: "The " + e.name + " server cannot read this file.", Err: fmt.Errorf("status %d", res.Status)}
	case res.Status != 200:
		return nil, fmt.Errorf("extract: the %s server answered with status %d", e.name, res.Status)
	}
	b := newBuilder(&e.lim)
	if err := e.answer(b, body); err != nil {
		return nil, err
	}
	d, err := b.done()
	if err == nil && strings.TrimSpace(d.Text) == "" {
		return nil, &Error{Code: "no_text", Detail: "The " + e.name + " server found no text in this file."}
	}
	in.progress(1, 1)
	return d, err
}

// failed is a call that came to no answer: no fault of the file.
func (e *external) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return fmt.Errorf("extract: the %s server does not answer: %w", e.name, err)
}

func tikaRequest(in *Input) (*hop.Request, error) {
	kind := in.ContentType
	if kind == "" {
		kind = "application/octet-stream"
	}
	return &hop.Request{
		Method: "PUT", Path: "/tika/text", ContentType: kind, Accept: "application/json",
		BodyReader: io.NewSectionReader(in.Content, 0, in.Size), BodyLength: in.Size,
	}, nil
}

func tikaAnswer(b *builder, body []byte) error {
	var said struct {
		Content string `json:"X-TIKA:content"`
		Title   string `json:"dc:title"`
		Fault   string `json:"X-TIKA:EXCEPTION:container_exception"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		var titles struct {
			Content string   `json:"X-TIKA:content"`
			Title   []string `json:"dc:title"` // several
		}
		if err := json.Unmarshal(body, &titles); err != nil {
			return fmt.Errorf("extract: the Tika server's answer is no JSON: %w", err)
		}
		said.Content = titles.Content
	}
	if strings.Contains(said.Fault, "EncryptedDocumentException") {
		return &Error{Code: "encrypted", Detail: "This file is protected by a password. Save it without one and upload it again."}
	}
	b.title(said.Title)
	b.write(strings.TrimLeft(said.Content, " \r\n\t"))
	return nil
}

func doclingRequest(in *Input, key string) (*hop.Request, error) {
	var head, tail bytes.Buffer
	form := multipart.NewWriter(&head)
	for _, f := range [...][2]string{{"to_formats", "md"}, {"image_export_mode", "placeholder"}} {
		if err := form.WriteField(f[0], f[1]); err != nil {
			return nil, err
		}
	}
	// The name stays here; its extension says how to read the file.
	name := "file"
	if ext := extension(in.Name); ext != "" && len(ext) <= 10 && letters(ext) == ext {
		name += "." + ext
	}
	h := textproto.MIMEHeader{}
	h.Set("Content-Disposition", `form-data; name="files"; filename="`+name+`"`)
	h.Set("Content-Type", "application/octet-stream")
	if _, err := form.CreatePart(h); err != nil {
		return nil, err
	}
	tail.WriteString("\r\n--" + form.Boundary() + "--\r\n")
	req := &hop.Request{
		Method: "POST", Path: "/v1/convert/file", ContentType: form.FormDataContentType(), Accept: "application/json",
		BodyLength: int64(head.Len()) + in.Size + int64(tail.Len()),
	}
	req.BodyReader = io.MultiReader(&head, io.NewSectionReader(in.Content, 0, in.Size), &tail)
	if key != "" {
		req.Header = append(req.Header, [2]string{"X-Api-Key", key})
	}
	return req, nil
}

func doclingAnswer(b *builder, body []byte) error {
	var said struct {
		Status   string `json:"status"`
		Document struct {
			Markdown string `json:"md_content"`
		} `json:"document"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return fmt.Errorf("extract: the Docling server's answer is no JSON: %w", err)
	}
	switch said.Status {
	case "failure":
		return &Error{Code: "broken", Detail: "The Docling server cannot read this file.", Err: errors.New("status failure")}
	case "partial_success":
		b.warn("The Docling server could read only parts of this file.")
	}
	b.write(strings.ReplaceAll(said.Document.Markdown, "<!-- image -->", ""))
	markMarkdown(b, 0)
	return nil
}
