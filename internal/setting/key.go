package setting

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strconv"
	"strings"
)

// Key is a setting with its type: T is bool, int, float64, string, []string or
// json.RawMessage (an object or list of the API's own shape).
type Key[T any] struct {
	Name    string   // dotted, as the real API's configuration names it, e.g. "ui.enable_signup"
	Env     []string // variables that pin it, first found wins
	Default T
	Secret  bool // never printed, never returned in clear
	Doc     string

	check func(T) error                // what the type alone does not say; nil accepts all
	read  func(text string) (T, error) // of a variable, where the type's usual reading does not do
}

// Descriptor is a key without its type, for lists of all of them.
type Descriptor struct {
	Name    string
	Env     []string
	Type    string // "bool", "int", "number", "string", "list" or "json"
	Default []byte // JSON
	Secret  bool
	Doc     string

	decode func(raw []byte) (any, error)     // JSON to a checked T
	read   func(text string) ([]byte, error) // text of a variable to JSON
}

func describe[T any](k Key[T]) Descriptor {
	def, err := json.Marshal(k.Default)
	if err != nil {
		panic("setting: the default of " + k.Name + " is no JSON: " + err.Error())
	}
	return Descriptor{
		Name: k.Name, Env: k.Env, Type: typeName[T](), Default: def, Secret: k.Secret, Doc: k.Doc,
		decode: func(raw []byte) (any, error) { return k.decode(raw) },
		read:   k.readText,
	}
}

func typeName[T any]() string {
	var zero T
	switch any(zero).(type) {
	case bool:
		return "bool"
	case int:
		return "int"
	case float64:
		return "number"
	case string:
		return "string"
	case []string:
		return "list"
	}
	return "json"
}

// decode reads JSON. A null is refused unless the type is JSON itself.
func (k Key[T]) decode(raw []byte) (T, error) {
	var v T
	if bytes.Equal(raw, []byte("null")) && typeName[T]() != "json" {
		return v, fmt.Errorf("must be a %s, not null", typeName[T]())
	}
	if err := json.Unmarshal(raw, &v); err != nil {
		return v, fmt.Errorf("must be a %s", typeName[T]())
	}
	if list, ok := any(v).([]string); ok && list == nil {
		v = any([]string{}).(T)
	}
	if k.check != nil {
		if err := k.check(v); err != nil {
			return v, err
		}
	}
	return v, nil
}

// readText turns the text of a variable into JSON.
func (k Key[T]) readText(text string) ([]byte, error) {
	if k.read != nil {
		v, err := k.read(text)
		if err != nil {
			return nil, err
		}
		return json.Marshal(v)
	}
	var v any
	switch typeName[T]() {
	case "bool":
		b, err := readBool(text)
		if err != nil {
			return nil, err
		}
		v = b
	case "int":
		n, err := strconv.Atoi(strings.TrimSpace(text))
		if err != nil {
			return nil, errors.New("must be a whole number")
		}
		v = n
	case "number":
		n, err := strconv.ParseFloat(strings.TrimSpace(text), 64)
		if err != nil {
			return nil, errors.New("must be a number")
		}
		v = n
	case "string":
		v = text
	case "list":
		v = readList(text)
	default:
		if !json.Valid([]byte(text)) {
			return nil, errors.New("must be JSON")
		}
		return []byte(text), nil
	}
	return json.Marshal(v)
}

func readBool(text string) (bool, error) {
	switch strings.ToLower(strings.TrimSpace(text)) {
	case "true", "1", "yes", "on":
		return true, nil
	case "false", "0", "no", "off":
		return false, nil
	}
	return false, errors.New("must be true or false")
}

// readList splits at semicolons, as the real API's URL lists do. Empty places
// are kept: in a list of keys they mean "no key for this address".
func readList(text string) []string {
	parts := strings.Split(text, ";")
	for i := range parts {
		parts[i] = strings.TrimSpace(parts[i])
	}
	return parts
}

// same compares two JSON values by what they mean to the key.
func (d *Descriptor) same(a, b []byte) bool {
	x, errX := d.decode(a)
	y, errY := d.decode(b)
	if errX != nil || errY != nil {
		return false
	}
	if d.Type != "json" {
		return reflect.DeepEqual(x, y)
	}
	var p, q any
	return json.Unmarshal(a, &p) == nil && json.Unmarshal(b, &q) == nil && reflect.DeepEqual(p, q)
}
