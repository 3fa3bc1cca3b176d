package api

import (
	"encoding"
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
)

// object is a JSON object of the document; encoding/json sorts its keys, so
// that equal routes give equal bytes.
type object = map[string]any

// schemas describes Go types as they are on the wire. Named struct types
// become components; a type that is taken in one shape and given in another
// (what is required differs) becomes two.
type schemas struct {
	components object
	names      map[role]string
}

// role is a type in one direction.
type role struct {
	t     reflect.Type
	input bool
}

func newSchemas() *schemas {
	return &schemas{components: object{}, names: map[role]string{}}
}

var (
	rawType     = reflect.TypeFor[json.RawMessage]()
	timeType    = reflect.TypeFor[time.Time]()
	marshalType = reflect.TypeFor[json.Marshaler]()
	textType    = reflect.TypeFor[encoding.TextMarshaler]()
)

// of describes the type of v; nil is anything.
func (s *schemas) of(v any, input bool) object {
	if v == nil {
		return object{}
	}
	return s.typ(reflect.TypeOf(v), input)
}

func (s *schemas) typ(t reflect.Type, input bool) object {
	switch {
	case t == rawType:
		return object{}
	case t == timeType:
		return object{"type": "string", "format": "date-time"}
	case t.Kind() == reflect.Pointer:
		return nullable(s.typ(t.Elem(), input))
	case t.Implements(marshalType):
		return object{}
	case t.Implements(textType):
		return object{"type": "string"}
	}
	switch t.Kind() {
	case reflect.Bool:
		return object{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64,
		reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return object{"type": "integer"}
	case reflect.Float32, reflect.Float64:
		return object{"type": "number"}
	case reflect.String:
		return object{"type": "string"}
	case reflect.Slice, reflect.Array:
		if t.Elem().Kind() == reflect.Uint8 {
			return object{"type": "string", "contentEncoding": "base64"}
		}
		return object{"type": "array", "items": s.typ(t.Elem(), input)}
	case reflect.Map:
		return object{"type": "object", "additionalProperties": s.typ(t.Elem(), input)}
	case reflect.Struct:
		return s.structure(t, input)
	}
	return object{} // an interface: anything
}

// nullable is what a pointer may be. A reference cannot have siblings.
func nullable(o object) object {
	if typ, ok := o["type"].(string); ok {
		o = maps.Clone(o)
		o["type"] = []string{typ, "null"}
		return o
	}
	if _, ok := o["$ref"]; ok {
		return object{"anyOf": []any{o, object{"type": "null"}}}
	}
	return o
}

// structure gives a reference to the component of a named type, and describes
// a nameless one in place.
func (s *schemas) structure(t reflect.Type, input bool) object {
	if t.Name() == "" {
		return s.describe(t, input)
	}
	key := role{t, input}
	name, known := s.names[key]
	if !known {
		name = s.name(key)
		s.names[key] = name
		s.components[name] = object{} // so that a type may contain itself
		s.components[name] = s.describe(t, input)
	}
	return object{"$ref": "#/components/schemas/" + name}
}

// name is that of the type, with its package in front where two packages have
// the same, and with "Input" behind where the other direction has it already.
func (s *schemas) name(key role) string {
	base, _, _ := strings.Cut(key.t.Name(), "[") // of a generic type
	name := title(base)
	if _, taken := s.components[name]; !taken {
		return name
	}
	if _, other := s.names[role{key.t, !key.input}]; other {
		name += map[bool]string{true: "Input", false: "Output"}[key.input]
	} else {
		pkg := key.t.PkgPath()
		name = title(pkg[strings.LastIndexByte(pkg, '/')+1:]) + name
	}
	for _, taken := s.components[name]; taken; _, taken = s.components[name] {
		name += "_"
	}
	return name
}

func title(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

// describe lists the members of a struct. Of a body, those that are marked
// are required; of an answer, those that are always there.
func (s *schemas) describe(t reflect.Type, input bool) object {
	properties := object{}
	var required []string
	for _, f := range reflect.VisibleFields(t) {
		tag, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || f.Anonymous && tag == "" || tag == "-" {
			continue
		}
		if tag == "" {
			tag = f.Name
		}
		p := s.typ(f.Type, input)
		if doc := f.Tag.Get("doc"); doc != "" {
			p = maps.Clone(p)
			p["description"] = doc
		}
		properties[tag] = p
		always := !input && !strings.Contains(options, "omit") && !throughPointer(t, f.Index)
		if always || input && f.Tag.Get("require") == "true" {
			required = append(required, tag)
		}
	}
	o := object{"type": "object", "properties": properties}
	if len(required) > 0 {
		slices.Sort(required)
		o["required"] = required
	}
	return o
}

// throughPointer reports whether a promoted field lives in an embedded
// pointer, which may be nil.
func throughPointer(t reflect.Type, index []int) bool {
	for _, i := range index[:len(index)-1] {
		f := t.Field(i)
		if f.Type.Kind() == reflect.Pointer {
			return true
		}
		t = f.Type
	}
	return false
}
