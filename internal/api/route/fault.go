package route

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"

	"portico/internal/errdefs"
	"portico/internal/rawjson"
)

// Fault is a 422 with one entry. loc begins with "body", "query" or "path".
func Fault(kind string, loc []any, msg string, input any) *errdefs.Error {
	return faults{{Type: kind, Loc: loc, Msg: msg, Input: input}}.err()
}

// faults collects what is wrong with a request, so that all of it is told at once.
type faults []errdefs.Field

// err is nil when there are none. Detail says the same as the list, in words.
func (f faults) err() *errdefs.Error {
	if len(f) == 0 {
		return nil
	}
	words := make([]string, len(f))
	for i := range f {
		words[i] = where(f[i].Loc) + ": " + f[i].Msg
	}
	return &errdefs.Error{Kind: errdefs.Unprocessable, Detail: strings.Join(words, "; ") + ".", Fields: f}
}

// where names a place without its first word, unless that is all there is.
func where(loc []any) string {
	if len(loc) > 1 {
		loc = loc[1:]
	}
	words := make([]string, len(loc))
	for i, l := range loc {
		words[i] = fmt.Sprint(l)
	}
	return strings.Join(words, ".")
}

// unmarshalObject fills a struct member by member, so that each fault is told
// with its place; anything else goes to encoding/json whole.
func unmarshalObject(doc *rawjson.Doc, in any) error {
	v := reflect.ValueOf(in).Elem()
	if !plainStruct(v) {
		return unmarshalOther(doc.Raw, in)
	}
	var list faults
	for _, f := range reflect.VisibleFields(v.Type()) {
		name, ok := fieldName(f)
		if !ok {
			continue
		}
		required := f.Tag.Get("require") == "true"
		raw := doc.Get(name)
		switch {
		case raw == nil:
			if required {
				list = append(list, errdefs.Field{Type: "missing", Loc: []any{"body", name}, Msg: "Field required", Input: names(doc)})
			}
		case string(raw) == "null" && !required:
		default:
			if fault := unmarshalField(raw, name, v.FieldByIndex(f.Index)); fault != nil {
				list = append(list, *fault)
			}
		}
	}
	if err := list.err(); err != nil {
		return err
	}
	return nil
}

// plainStruct reports whether members are set one by one.
func plainStruct(v reflect.Value) bool {
	return v.Kind() == reflect.Struct && !v.Addr().Type().Implements(unmarshaler)
}

var unmarshaler = reflect.TypeFor[json.Unmarshaler]()

// fieldName is the JSON name of a field that a body may set.
func fieldName(f reflect.StructField) (string, bool) {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if !f.IsExported() || f.Anonymous && name == "" || name == "-" {
		return "", false
	}
	if name == "" {
		name = f.Name
	}
	return name, true
}

// names echoes which members were sent, without their values: among them may
// be a password.
func names(doc *rawjson.Doc) any {
	sent := map[string]any{}
	for i := range doc.Members {
		if i == 32 {
			break
		}
		sent[string(doc.Members[i].Key)] = "…"
	}
	return sent
}

// unmarshalField sets one field from raw, or says what is wrong with it.
func unmarshalField(raw []byte, name string, v reflect.Value) *errdefs.Field {
	loc := []any{"body", name}
	if string(raw) == "null" && v.Kind() != reflect.Pointer && v.Kind() != reflect.Interface && v.Type() != rawMessage {
		f := typeFault(v.Type(), loc)
		return &f
	}
	err := json.Unmarshal(lenient(raw, v.Type()), v.Addr().Interface())
	if err == nil {
		return nil
	}
	var mismatch *json.UnmarshalTypeError
	if !errors.As(err, &mismatch) {
		return &errdefs.Field{Type: "value_error", Loc: loc, Msg: "Input is not valid"}
	}
	if mismatch.Field != "" {
		for seg := range strings.SplitSeq(mismatch.Field, ".") {
			loc = append(loc, seg)
		}
	}
	f := typeFault(mismatch.Type, loc)
	return &f
}

var rawMessage = reflect.TypeFor[json.RawMessage]()

// lenient accepts what pydantic does beyond JSON's own types: "5" and 5.0 for
// a whole number, "1.5" for a number, "true", "on", "yes", "1" and 1 for a switch.
func lenient(raw []byte, t reflect.Type) []byte {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	text, isText := rawjson.Unquote(raw)
	switch t.Kind() {
	case reflect.Bool:
		if !isText {
			text = string(raw)
		}
		if b, ok := parseBool(text); ok {
			return strconv.AppendBool(nil, b)
		}
	case reflect.Int, reflect.Int64, reflect.Int32:
		if !isText {
			text = string(raw)
		}
		if n, ok := rawjson.Int([]byte(strings.TrimSpace(text))); ok {
			return strconv.AppendInt(nil, n, 10)
		}
	case reflect.Float64:
		if isText {
			if f, err := strconv.ParseFloat(text, 64); err == nil {
				return strconv.AppendFloat(nil, f, 'g', -1, 64)
			}
		}
	}
	return raw
}

func parseBool(s string) (val, ok bool) {
	switch strings.ToLower(s) {
	case "true", "1", "on", "yes", "y", "t":
		return true, true
	case "false", "0", "off", "no", "n", "f":
		return false, true
	}
	return false, false
}

// typeFault says which type a place should have had, in pydantic's words for types.
func typeFault(t reflect.Type, loc []any) errdefs.Field {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	kind, msg := "value_error", "Input is not valid"
	switch t.Kind() {
	case reflect.String:
		kind, msg = "string_type", "Input should be a valid string"
	case reflect.Bool:
		kind, msg = "bool_type", "Input should be a valid boolean"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		kind, msg = "int_type", "Input should be a valid integer"
	case reflect.Float32, reflect.Float64:
		kind, msg = "float_type", "Input should be a valid number"
	case reflect.Slice, reflect.Array:
		kind, msg = "list_type", "Input should be a valid list"
	case reflect.Map:
		kind, msg = "dict_type", "Input should be a valid dictionary"
	case reflect.Struct:
		kind, msg = "model_attributes_type", "Input should be a valid dictionary or object"
	}
	return errdefs.Field{Type: kind, Loc: loc, Msg: msg}
}

// unmarshalOther is for bodies or targets that are no plain object and struct.
func unmarshalOther(raw []byte, in any) error {
	if v := reflect.ValueOf(in).Elem(); plainStruct(v) {
		return faults{typeFault(v.Type(), []any{"body"})}.err()
	}
	loc := []any{"body"}
	// encoding/json leaves a map or a list as it is when it reads null.
	if v := reflect.ValueOf(in).Elem(); string(bytes.TrimSpace(raw)) == "null" && (v.Kind() == reflect.Map || v.Kind() == reflect.Slice && v.Type() != rawMessage) {
		return faults{typeFault(v.Type(), loc)}.err()
	}
	err := json.Unmarshal(raw, in)
	if err == nil {
		return nil
	}
	var mismatch *json.UnmarshalTypeError
	if !errors.As(err, &mismatch) {
		return faults{{Type: "value_error", Loc: loc, Msg: "Input is not valid"}}.err()
	}
	if mismatch.Field != "" {
		for seg := range strings.SplitSeq(mismatch.Field, ".") {
			loc = append(loc, seg)
		}
	}
	return faults{typeFault(mismatch.Type, loc)}.err()
}

// size says a number of bytes as people do.
func size(n int64) string {
	switch {
	case n >= 1<<20 && n%(1<<20) == 0:
		return strconv.FormatInt(n>>20, 10) + " MiB"
	case n >= 1<<10 && n%(1<<10) == 0:
		return strconv.FormatInt(n>>10, 10) + " KiB"
	}
	return strconv.FormatInt(n, 10) + " bytes"
}
