package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"portico/internal/api/route"
)

// Document describes routes as OpenAPI 3.1. It depends on nothing but the
// rows, and equal rows give equal bytes.
func Document(rows []route.Route) ([]byte, error) {
	if _, err := route.NewTable(rows); err != nil {
		return nil, err
	}
	d := &document{schemas: newSchemas(), paths: map[string]object{}}
	for i := range rows {
		d.add(&rows[i])
	}
	for name, schema := range errorSchemas() {
		d.schemas.components[name] = schema
	}
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", " ")
	err := enc.Encode(object{
		"openapi": "3.1.0",
		"info": object{
			"title": "Portico", "version": Compatible,
			"description": "Every model behind one door. Paths may end in a slash or not.",
			"license":     object{"name": "Apache-2.0", "identifier": "Apache-2.0"},
		},
		"tags":  d.tags(),
		"paths": d.paths,
		"components": object{
			"schemas":         d.schemas.components,
			"securitySchemes": securitySchemes,
		},
	})
	return out.Bytes(), err
}

// document is an OpenAPI document in the making.
type document struct {
	schemas *schemas
	paths   map[string]object
	seen    []string // tags
}

var securitySchemes = object{
	"bearer": object{"type": "http", "scheme": "bearer", "description": "An API key, or the token of a session."},
	"key":    object{"type": "apiKey", "in": "header", "name": "x-api-key", "description": "An API key."},
	"cookie": object{"type": "apiKey", "in": "cookie", "name": "token", "description": "The session of a browser."},
}

func (d *document) tags() []object {
	slices.Sort(d.seen)
	out := []object{}
	for _, tag := range slices.Compact(d.seen) {
		out = append(out, object{"name": tag})
	}
	return out
}

// add describes a route at each of its paths. Operation ids are unique, so
// that those of the further paths are numbered.
func (d *document) add(row *route.Route) {
	for i, path := range row.Paths() {
		op := d.operation(row, path)
		if i > 0 {
			op["operationId"] = fmt.Sprintf("%s_%d", row.Op, i+1)
		}
		path = strings.ReplaceAll(path, "...}", "}")
		if d.paths[path] == nil {
			d.paths[path] = object{}
		}
		d.paths[path][strings.ToLower(row.Method)] = op
	}
}

func (d *document) operation(row *route.Route, path string) object {
	op := object{"operationId": row.Op, "summary": row.Summary, "responses": d.responses(row), "security": security(row.Who)}
	if row.Doc != "" {
		op["description"] = row.Doc
	}
	if row.Tag != "" {
		op["tags"] = []string{row.Tag}
		d.seen = append(d.seen, row.Tag)
	}
	if params := d.parameters(row, path); len(params) > 0 {
		op["parameters"] = params
	}
	if row.Body != nil || row.Consumes != "" {
		op["requestBody"] = object{"required": true, "content": d.content(row.Consumes, row.Body, true)}
	}
	return op
}

// security says what may open a route.
func security(who route.Who) []object {
	switch who {
	case route.Public:
		return []object{}
	case route.Human:
		return []object{{"bearer": []string{}}, {"cookie": []string{}}}
	}
	return []object{{"bearer": []string{}}, {"key": []string{}}, {"cookie": []string{}}}
}

// parameters are those of the path, in order, and those that the row lists.
func (d *document) parameters(row *route.Route, path string) []object {
	var out []object
	var named []string
	for seg := range strings.SplitSeq(path, "/") {
		name, ok := strings.CutPrefix(seg, "{")
		if !ok {
			continue
		}
		name = strings.TrimSuffix(strings.TrimSuffix(name, "}"), "...")
		p := route.Param{Name: name, In: "path", Required: true}
		if i := slices.IndexFunc(row.Params, func(p route.Param) bool { return p.In == "path" && p.Name == name }); i >= 0 {
			p = row.Params[i]
			p.Required = true
		}
		out = append(out, d.parameter(p))
		named = append(named, name)
	}
	for _, p := range row.Params {
		if p.In == "path" {
			continue // of this path already there, of an alias not its business
		}
		out = append(out, d.parameter(p))
	}
	return out
}

func (d *document) parameter(p route.Param) object {
	schema := object{"type": "string"}
	if p.Type != nil {
		schema = d.schemas.of(p.Type, true)
	}
	o := object{"name": p.Name, "in": p.In, "required": p.Required, "schema": schema}
	if p.Doc != "" {
		o["description"] = p.Doc
	}
	return o
}

// content gives each media type its schema: JSON that of the type, anything
// else is text or bytes.
func (d *document) content(media string, v any, input bool) object {
	if media == "" {
		media = "application/json"
	}
	out := object{}
	for m := range strings.SplitSeq(media, ",") {
		m = strings.TrimSpace(m)
		switch {
		case m == "application/json", m == "multipart/form-data" && v != nil:
			out[m] = object{"schema": d.schemas.of(v, input)}
		case m == "application/octet-stream", m == "text/event-stream":
			out[m] = object{} // bytes; events, which readers take apart each in their own way
		default:
			out[m] = object{"schema": object{"type": "string"}}
		}
	}
	return out
}

// responses are the answers, and the errors that follow from the row.
func (d *document) responses(row *route.Route) object {
	out := object{"200": object{"description": "OK", "content": d.content(row.Produces, row.Answer, false)}}
	for status, v := range row.Answers {
		r := object{"description": http.StatusText(status)}
		if v != nil {
			r["content"] = d.content("", v, false)
		}
		out[strconv.Itoa(status)] = r
	}
	for _, status := range failures(row) {
		code := strconv.Itoa(status)
		if out[code] == nil {
			out[code] = object{"description": http.StatusText(status), "content": errorContent(row.Dialect, status)}
		}
	}
	out["default"] = object{"description": "Anything else that went wrong", "content": errorContent(row.Dialect, 0)}
	return out
}

// failures are the statuses that follow from who may call and what is taken,
// and those that the row lists.
func failures(row *route.Route) []int {
	list := slices.Clone(row.Errors)
	if row.Who != route.Public {
		list = append(list, http.StatusUnauthorized, http.StatusForbidden)
	} else if !row.Blind {
		list = append(list, http.StatusTooManyRequests)
	}
	if row.Body != nil || row.Consumes != "" {
		list = append(list, http.StatusRequestEntityTooLarge)
	}
	if row.Body != nil {
		list = append(list, http.StatusUnprocessableEntity)
	}
	return list
}

func errorContent(d route.Dialect, status int) object {
	name := map[route.Dialect]string{route.Detail: "Error", route.OpenAIError: "OpenAIError", route.OllamaError: "OllamaError"}[d]
	if status == http.StatusUnprocessableEntity {
		name = "ValidationError"
	}
	return object{"application/json": object{"schema": object{"$ref": "#/components/schemas/" + name}}}
}

// errorSchemas are what error.go writes.
func errorSchemas() object {
	text := object{"type": "string"}
	detail := object{"description": "What happened and what to do, in words; or the list of faults of the body."}
	fault := object{
		"type": "object", "required": []string{"type", "loc", "msg"},
		"properties": object{
			"type": text, "msg": text, "input": object{}, "ctx": object{"type": "object"},
			"loc": object{"type": "array", "items": object{"type": []string{"string", "integer"}}},
		},
	}
	return object{
		"Error": object{
			"type": "object", "required": []string{"detail"},
			"properties": object{"detail": detail, "request_id": text},
		},
		"ValidationError": object{
			"type": "object", "required": []string{"detail"},
			"properties": object{"detail": object{"anyOf": []any{object{"type": "array", "items": object{"$ref": "#/components/schemas/Fault"}}, text}}},
		},
		"Fault": fault,
		"OpenAIError": object{
			"type": "object", "required": []string{"error"},
			"properties": object{"detail": detail, "request_id": text, "error": object{
				"type": "object", "required": []string{"message", "type"},
				"properties": object{
					"message": text, "type": text,
					"param": object{"type": []string{"string", "null"}}, "code": object{"type": []string{"string", "null"}},
				},
			}},
		},
		"OllamaError": object{
			"type": "object", "required": []string{"error"},
			"properties": object{"error": text, "detail": detail, "request_id": text},
		},
	}
}
