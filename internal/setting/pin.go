package setting

import (
	"fmt"

	"portico/internal/errdefs"
)

// Pin is a value from outside, which wins over what is stored.
type Pin struct {
	Value    []byte // JSON
	Origin   Origin
	Variable string // that holds it, to be named when somebody tries to change it
}

// Found is the text of a variable in the configuration file.
type Found = map[string]string

// ParsePins looks for the variables of every key: first with lookup, which is
// the environment, then in file. A variable that is set but empty counts as
// absent, as compose files pass on what nobody set; ENABLE_…= is no way to say
// no. Every fault is reported, in the words of an operator, and leaves its key
// unpinned.
func ParsePins(lookup func(name string) (value string, ok bool), file Found) (map[string]Pin, []error) {
	pins := map[string]Pin{}
	var faults []error
	find := func(name string) (string, Origin, bool) {
		if v, ok := lookup(name); ok && v != "" {
			return v, FromEnv, true
		}
		v := file[name]
		return v, FromFile, v != ""
	}
	pin := func(key string, variables []string, read func(string) ([]byte, error)) {
		for _, name := range variables {
			text, origin, ok := find(name)
			if !ok {
				continue
			}
			raw, err := read(text)
			if err != nil {
				faults = append(faults, fmt.Errorf("%s (%s) %w", name, origin, err))
				return
			}
			pins[key] = Pin{Value: raw, Origin: origin, Variable: name}
			return
		}
	}
	for _, d := range All() {
		pin(d.Name, d.Env, func(text string) ([]byte, error) {
			raw, err := d.read(text)
			if err != nil {
				return nil, err
			}
			_, err = d.decode(raw)
			return raw, err
		})
	}
	for i := range permissions {
		pin(permissions[i].path(), []string{permissions[i].variable()}, Key[bool]{}.readText)
	}
	// A key alone means the provider that everybody knows.
	if keys, ok := pins[OpenAIKeys.Name]; ok {
		if _, ok := pins[OpenAIBaseURLs.Name]; !ok {
			pins[OpenAIBaseURLs.Name] = Pin{Value: []byte(`["` + openAIURL + `"]`), Origin: keys.Origin, Variable: keys.Variable}
		}
	}
	return pins, faults
}

func pinConflict(what string, pin Pin) error {
	return errdefs.Newf(errdefs.Conflict, "%s is set by %s (%s) and cannot be changed here. Change or remove it there, then restart the server.",
		what, pin.Variable, pin.Origin)
}
