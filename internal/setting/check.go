package setting

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

func oneOf(allowed ...string) func(string) error {
	return func(v string) error {
		if slices.Contains(allowed, v) {
			return nil
		}
		return fmt.Errorf("must be one of %s", strings.Join(allowed, ", "))
	}
}

var expiry = regexp.MustCompile(`^(-1|0|([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+)$`)

func checkExpiry(v string) error {
	if _, err := ParseLife(v); err == nil && expiry.MatchString(v) {
		return nil
	}
	return errors.New("must be number and unit pairs such as 4w or 1h30m, from a second to a hundred years, or -1")
}

func object(raw json.RawMessage) error {
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '{' {
		return nil
	}
	return errors.New("must be a JSON object")
}

func list(raw json.RawMessage) error {
	if raw = bytes.TrimSpace(raw); len(raw) > 0 && raw[0] == '[' {
		return nil
	}
	return errors.New("must be a JSON list")
}

func optionalURL(v string) error {
	if v == "" {
		return nil
	}
	return checkURL(v)
}

func urls(list []string) error {
	for _, v := range list {
		if v == "" {
			continue // a place that was left empty in the form: never asked
		}
		if err := checkURL(v); err != nil {
			return err
		}
	}
	return nil
}

// checkURL does not repeat the address: it may hold a password.
func checkURL(v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		return errors.New("must hold addresses that begin with http:// or https://")
	}
	return nil
}

// readURLs splits a variable, drops trailing slashes, and puts usual in the
// place of an empty variable.
func readURLs(usual string) func(string) ([]string, error) {
	return func(text string) ([]string, error) {
		list := readList(text)
		for i := range list {
			list[i] = strings.TrimRight(list[i], "/")
			if list[i] == "" {
				list[i] = usual
			}
		}
		return list, nil
	}
}

// readNames accepts a JSON list or names separated by commas or semicolons.
func readNames(text string) ([]string, error) {
	names := []string{}
	if strings.HasPrefix(strings.TrimSpace(text), "[") {
		if err := json.Unmarshal([]byte(text), &names); err != nil {
			return nil, errors.New("must be a JSON list of names")
		}
		return names, nil
	}
	for _, name := range strings.FieldsFunc(text, func(r rune) bool { return r == ',' || r == ';' }) {
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
		}
	}
	return names, nil
}
