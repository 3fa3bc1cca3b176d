package extract

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"strconv"
	"strings"

	"portico/internal/retrieval/document"
)

// readJSON writes a line for each value, "server.ports.0: 8080", so that every
// chunk says where its values stand. A list of flat objects becomes a table; a
// notebook its cells. What is no JSON is text.
func readJSON(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	s, err := in.text(lim, in.charset())
	if err != nil {
		return nil, err
	}
	b := newBuilder(lim)
	w := jsonWriter{ctx: ctx, b: b, most: lim.Depth, cells: lim.Cells}
	if extension(in.Name) == "ipynb" && w.notebook(s) {
		return b.done()
	}
	if err := w.all(s); err != nil {
		return w.orText(s, lim, err)
	}
	return b.done()
}

// readJSONLines reads one value per line.
func readJSONLines(ctx context.Context, in *Input, lim *Limits) (*document.Document, error) {
	return readJSON(ctx, in, lim)
}

type jsonWriter struct {
	ctx   context.Context
	b     *builder
	dec   *json.Decoder
	path  []string
	most  int // depth
	cells int // values that may still come
}

// orText gives what is no JSON as the text it is; a limit stays one.
func (w *jsonWriter) orText(s string, lim *Limits, err error) (*document.Document, error) {
	var e *Error
	if errors.As(err, &e) || w.ctx.Err() != nil {
		return nil, err
	}
	b := newBuilder(lim)
	b.write(s)
	b.warn("This file is not valid JSON and was read as plain text.")
	return b.done()
}

// all reads one value, or several below each other as JSON lines are.
func (w *jsonWriter) all(s string) error {
	if w.table(s) {
		return w.b.err
	}
	w.dec = json.NewDecoder(strings.NewReader(s))
	w.dec.UseNumber()
	for n := 0; ; n++ {
		err := w.value()
		if errors.Is(err, io.EOF) && len(w.path) == 0 {
			return nil
		}
		if err != nil {
			return err
		}
		w.b.blank() // values of their own are paragraphs
	}
}

func (w *jsonWriter) value() error {
	t, err := w.dec.Token()
	if err != nil {
		return err
	}
	if w.cells--; w.cells < 0 {
		return overLimit("cells", "This JSON has too many values.")
	}
	d, ok := t.(json.Delim)
	if !ok {
		w.leaf(t)
		return errors.Join(w.b.err, w.stopped())
	}
	if len(w.path) >= w.most {
		return overLimit("depth", "This JSON nests values more than %d deep.", w.most)
	}
	for i := 0; w.dec.More(); i++ {
		name := strconv.Itoa(i)
		if d == '{' {
			key, err := w.dec.Token()
			if err != nil {
				return err
			}
			name, _ = key.(string)
		}
		w.path = append(w.path, name)
		if err := w.value(); err != nil {
			return err
		}
		w.path = w.path[:len(w.path)-1]
		if len(w.path) <= 1 && d == '[' {
			w.b.blank() // so are the members of a list at the top
		}
	}
	_, err = w.dec.Token() // the end
	return err
}

func (w *jsonWriter) stopped() error {
	if w.cells%1024 == 0 && w.ctx.Err() != nil {
		return context.Cause(w.ctx)
	}
	return nil
}

// leaf writes one value with its path. Nulls and empty texts say nothing.
func (w *jsonWriter) leaf(t json.Token) {
	text := ""
	switch v := t.(type) {
	case string:
		text = v
	case json.Number:
		text = v.String()
	case bool:
		text = strconv.FormatBool(v)
	}
	if strings.TrimSpace(text) == "" {
		return
	}
	if len(w.path) > 0 {
		w.b.write(strings.Join(w.path, "."))
		w.b.write(": ")
	}
	w.b.write(text)
	w.b.line()
}

// widestRow is how wide a list of objects may be to be read as a table.
const widestRow = 64

// table writes a list of objects with the same simple members as rows, also
// when they stand below each other as JSON lines do. It reports false, and has
// written nothing, where s is something else.
func (w *jsonWriter) table(s string) bool {
	dec := json.NewDecoder(strings.NewReader(s))
	dec.UseNumber()
	if strings.HasPrefix(strings.TrimSpace(s), "[") {
		_, _ = dec.Token()
	}
	var header []string
	var rows [][]string
	for n := 0; dec.More(); n++ {
		var columns []string
		row, ok := jsonRow(dec, &columns)
		if !ok || n*widestRow > w.cells {
			return false
		}
		if n == 0 {
			header = columns
		}
		if strings.Join(columns, "\x00") != strings.Join(header, "\x00") {
			return false
		}
		rows = append(rows, row)
	}
	if len(rows) < 2 || len(header) < 2 {
		return false
	}
	w.b.row(header, true)
	for _, r := range rows {
		w.b.row(r, false)
	}
	w.b.endTable()
	return true
}

// jsonRow reads one flat object.
func jsonRow(dec *json.Decoder, columns *[]string) (row []string, ok bool) {
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		return nil, false
	}
	for dec.More() {
		key, err := dec.Token()
		if err != nil || len(row) == widestRow {
			return nil, false
		}
		v, err := dec.Token()
		if err != nil {
			return nil, false
		}
		cell := ""
		switch v := v.(type) {
		case json.Delim:
			return nil, false
		case string:
			cell = v
		case json.Number:
			cell = v.String()
		case bool:
			cell = strconv.FormatBool(v)
		}
		if len(cell) > 200 {
			return nil, false // prose is no cell
		}
		name, _ := key.(string)
		*columns, row = append(*columns, name), append(row, cell)
	}
	_, err := dec.Token()
	return row, err == nil
}

// notebook writes the cells of a Jupyter notebook: Markdown and code, and what
// the code printed.
func (w *jsonWriter) notebook(s string) bool {
	type lines = json.RawMessage
	var nb struct {
		Cells []struct {
			Type    string `json:"cell_type"`
			Source  lines  `json:"source"`
			Outputs []struct {
				Text lines            `json:"text"`
				Data map[string]lines `json:"data"`
			} `json:"outputs"`
		} `json:"cells"`
	}
	if json.Unmarshal([]byte(s), &nb) != nil || len(nb.Cells) == 0 {
		return false
	}
	text := func(raw lines) string {
		var all []string
		var one string
		if json.Unmarshal(raw, &all) == nil {
			return strings.Join(all, "")
		}
		_ = json.Unmarshal(raw, &one)
		return one
	}
	for _, c := range nb.Cells {
		w.b.blank()
		if c.Type != "code" {
			from := w.b.len()
			w.b.write(text(c.Source))
			markMarkdown(w.b, from)
			continue
		}
		w.b.code(text(c.Source))
		for _, o := range c.Outputs {
			w.b.paragraph(text(o.Text))
			w.b.paragraph(text(o.Data["text/plain"]))
		}
	}
	return true
}
