package setting

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

const permissionsName = "user.permissions"

// permission is one leaf of the permissions: where it is, what it is unless
// somebody says otherwise, and which variable pins it.
type permission struct {
	area, name string
	on         bool
	env        string
}

// permissions is every leaf, in the order of the API.
var permissions = []permission{
	{"workspace", "models", false, "WORKSPACE_MODELS_ACCESS"},
	{"workspace", "knowledge", false, "WORKSPACE_KNOWLEDGE_ACCESS"},
	{"workspace", "prompts", false, "WORKSPACE_PROMPTS_ACCESS"},
	{"workspace", "tools", false, "WORKSPACE_TOOLS_ACCESS"},
	{"workspace", "skills", false, "WORKSPACE_SKILLS_ACCESS"},
	{"workspace", "models_import", false, "WORKSPACE_MODELS_IMPORT"},
	{"workspace", "models_export", false, "WORKSPACE_MODELS_EXPORT"},
	{"workspace", "models_hidden", false, "WORKSPACE_MODELS_HIDDEN"},
	{"workspace", "prompts_import", false, "WORKSPACE_PROMPTS_IMPORT"},
	{"workspace", "prompts_export", false, "WORKSPACE_PROMPTS_EXPORT"},
	{"workspace", "tools_import", false, "WORKSPACE_TOOLS_IMPORT"},
	{"workspace", "tools_export", false, "WORKSPACE_TOOLS_EXPORT"},
	{"workspace", "skills_import", false, "WORKSPACE_SKILLS_IMPORT"},
	{"workspace", "skills_export", false, "WORKSPACE_SKILLS_EXPORT"},

	{"sharing", "models", false, "WORKSPACE_MODELS_ALLOW_SHARING"},
	{"sharing", "public_models", false, "WORKSPACE_MODELS_ALLOW_PUBLIC_SHARING"},
	{"sharing", "knowledge", false, "WORKSPACE_KNOWLEDGE_ALLOW_SHARING"},
	{"sharing", "public_knowledge", false, "WORKSPACE_KNOWLEDGE_ALLOW_PUBLIC_SHARING"},
	{"sharing", "prompts", false, "WORKSPACE_PROMPTS_ALLOW_SHARING"},
	{"sharing", "public_prompts", false, "WORKSPACE_PROMPTS_ALLOW_PUBLIC_SHARING"},
	{"sharing", "tools", false, "WORKSPACE_TOOLS_ALLOW_SHARING"},
	{"sharing", "public_tools", false, "WORKSPACE_TOOLS_ALLOW_PUBLIC_SHARING"},
	{"sharing", "skills", false, "WORKSPACE_SKILLS_ALLOW_SHARING"},
	{"sharing", "public_skills", false, "WORKSPACE_SKILLS_ALLOW_PUBLIC_SHARING"},
	{"sharing", "notes", false, "NOTES_ALLOW_SHARING"},
	{"sharing", "public_notes", false, "NOTES_ALLOW_PUBLIC_SHARING"},
	{"sharing", "folders", false, "FOLDERS_ALLOW_SHARING"},
	{"sharing", "public_chats", false, "CHATS_ALLOW_PUBLIC_SHARING"},
	{"sharing", "open_chats", false, "CHATS_ALLOW_OPEN_SHARING"},
	{"sharing", "public_calendars", false, "CALENDARS_ALLOW_PUBLIC_SHARING"},

	{"access_grants", "allow_users", true, "ACCESS_GRANTS_ALLOW_USERS"},
	{"access_grants", "allow_groups", true, "ACCESS_GRANTS_ALLOW_GROUPS"},

	{"chat", "controls", true, "CHAT_CONTROLS"},
	{"chat", "valves", true, "CHAT_VALVES"},
	{"chat", "system_prompt", true, "CHAT_SYSTEM_PROMPT"},
	{"chat", "params", true, "CHAT_PARAMS"},
	{"chat", "file_upload", true, "CHAT_FILE_UPLOAD"},
	{"chat", "web_upload", true, "CHAT_WEB_UPLOAD"},
	{"chat", "delete", true, "CHAT_DELETE"},
	{"chat", "delete_message", true, "CHAT_DELETE_MESSAGE"},
	{"chat", "continue_response", true, "CHAT_CONTINUE_RESPONSE"},
	{"chat", "regenerate_response", true, "CHAT_REGENERATE_RESPONSE"},
	{"chat", "rate_response", true, "CHAT_RATE_RESPONSE"},
	{"chat", "edit", true, "CHAT_EDIT"},
	{"chat", "share", true, "CHAT_SHARE"},
	{"chat", "export", true, "CHAT_EXPORT"},
	{"chat", "import", true, "CHAT_IMPORT"},
	{"chat", "stt", true, "CHAT_STT"},
	{"chat", "tts", true, "CHAT_TTS"},
	{"chat", "call", true, "CHAT_CALL"},
	{"chat", "multiple_models", true, "CHAT_MULTIPLE_MODELS"},
	{"chat", "temporary", true, "CHAT_TEMPORARY"},
	{"chat", "temporary_enforced", false, "CHAT_TEMPORARY_ENFORCED"},

	{"features", "api_keys", true, "FEATURES_API_KEYS"},
	{"features", "notes", true, "FEATURES_NOTES"},
	{"features", "folders", true, "FEATURES_FOLDERS"},
	{"features", "channels", true, "FEATURES_CHANNELS"},
	{"features", "encrypted_channels", false, "FEATURES_ENCRYPTED_CHANNELS"},
	{"features", "direct_tool_servers", false, "FEATURES_DIRECT_TOOL_SERVERS"},
	{"features", "web_search", true, "FEATURES_WEB_SEARCH"},
	{"features", "image_generation", true, "FEATURES_IMAGE_GENERATION"},
	{"features", "code_interpreter", true, "FEATURES_CODE_INTERPRETER"},
	{"features", "memories", true, "FEATURES_MEMORIES"},
	{"features", "automations", false, "FEATURES_AUTOMATIONS"},
	{"features", "calendar", true, "FEATURES_CALENDAR"},
	{"features", "webhooks", false, "FEATURES_WEBHOOKS"},

	{"settings", "interface", true, "SETTINGS_INTERFACE"},
}

// path is the dotted name of a leaf, by which it is pinned.
func (p *permission) path() string { return permissionsName + "." + p.area + "." + p.name }

// variable is the name of the variable that pins the leaf.
func (p *permission) variable() string { return "USER_PERMISSIONS_" + p.env }

// Permissions is what people may do, by area and name.
type Permissions map[string]map[string]bool

// ParsePermissions reads a JSON object of that shape. What is missing in it is
// off; areas and names that are unknown are kept.
func ParsePermissions(raw []byte) (Permissions, error) {
	p := Permissions{}
	if len(raw) == 0 {
		return p, nil
	}
	if err := json.Unmarshal(raw, &p); err != nil {
		return nil, errors.New("must be a JSON object of objects of switches")
	}
	return p, nil
}

// Has reports whether a permission such as "features.api_keys" is on.
func (p Permissions) Has(path string) bool {
	area, name, _ := strings.Cut(path, ".")
	return p[area][name]
}

// Add puts q on top of p: what either allows is allowed.
func (p Permissions) Add(q Permissions) {
	for area, names := range q {
		if p[area] == nil {
			p[area] = map[string]bool{}
		}
		for name, on := range names {
			p[area][name] = p[area][name] || on
		}
	}
}

func checkPermissions(raw json.RawMessage) error {
	_, err := ParsePermissions(raw)
	return err
}

// DefaultPermissions is what everybody may do while nobody changes it.
func DefaultPermissions() Permissions {
	all := Permissions{}
	for i := range permissions {
		p := &permissions[i]
		all.set(p.area, p.name, p.on)
	}
	return all
}

func permissionDefaults() json.RawMessage {
	raw, err := json.Marshal(DefaultPermissions())
	if err != nil {
		panic(err) // a map of maps of bools
	}
	return raw
}

func (p Permissions) set(area, name string, on bool) {
	if p[area] == nil {
		p[area] = map[string]bool{}
	}
	p[area][name] = on
}

// completePermissions lays raw over the defaults, and pinned leaves over both,
// so that every leaf is always there.
func completePermissions(raw []byte, pins map[string]Pin) ([]byte, error) {
	all, err := ParsePermissions(permissionDefaults())
	if err != nil {
		return nil, err
	}
	over, err := ParsePermissions(raw)
	if err != nil {
		return nil, err
	}
	for area, names := range over {
		for name, on := range names {
			all.set(area, name, on)
		}
	}
	for i := range permissions {
		p := &permissions[i]
		if pin, ok := pins[p.path()]; ok {
			all.set(p.area, p.name, string(pin.Value) == "true")
		}
	}
	return json.Marshal(all)
}

// permissionConflict names the first pinned leaf that raw would change.
func permissionConflict(raw []byte, pins map[string]Pin) error {
	over, err := ParsePermissions(raw)
	if err != nil {
		return err
	}
	for i := range permissions {
		p := &permissions[i]
		pin, pinned := pins[p.path()]
		if on, given := over[p.area][p.name]; pinned && given && on != (string(pin.Value) == "true") {
			return pinConflict(fmt.Sprintf("The permission %s.%s", p.area, p.name), pin)
		}
	}
	return nil
}
