package setting

// Key is a setting with its type: T is bool, int, string, []string or
// json.RawMessage (an object or list of the API's own shape).
type Key[T any] struct {
	Name    string   // dotted, as the real API's configuration names it, e.g. "ui.enable_signup"
	Env     []string // variables that pin it, first found wins
	Default T
	Secret  bool // never printed, never returned in clear
	Doc     string
}
