package setting

import "encoding/json"

// Who may come in.
var (
	EnableSignup = Key[bool]{Name: "ui.enable_signup", Env: []string{"ENABLE_SIGNUP"}, Default: true,
		Doc: "Whether strangers may sign up. Switched off by the first sign-up."}
	EnableLoginForm = Key[bool]{Name: "ui.enable_login_form", Env: []string{"ENABLE_LOGIN_FORM"}, Default: true,
		Doc: "Whether the sign-in page shows a form, and sign-up is possible."}
	EnablePasswordAuth = Key[bool]{Name: "auth.enable_password_auth", Env: []string{"ENABLE_PASSWORD_AUTH"}, Default: true,
		Doc: "Whether a password opens an account."}
	DefaultUserRole = Key[string]{Name: "ui.default_user_role", Env: []string{"DEFAULT_USER_ROLE"}, Default: "pending", check: oneOf("pending", "user", "admin"),
		Doc: "Role of whoever signs up after the first: `pending`, `user` or `admin`."}
	DefaultGroupID = Key[string]{Name: "ui.default_group_id", Env: []string{"DEFAULT_GROUP_ID"},
		Doc: "Group that new people join; empty is none."}
	EnableAPIKeys = Key[bool]{Name: "auth.enable_api_keys", Env: []string{"ENABLE_API_KEYS", "ENABLE_API_KEY"}, Default: true,
		Doc: "Whether API keys work at all."}
	APIKeysRestricted = Key[bool]{Name: "auth.api_key.endpoint_restrictions", Env: []string{"ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS", "ENABLE_API_KEY_ENDPOINT_RESTRICTIONS"},
		Doc: "Whether API keys reach only API_KEYS_ALLOWED_ENDPOINTS."}
	APIKeysAllowedEndpoints = Key[string]{Name: "auth.api_key.allowed_endpoints", Env: []string{"API_KEYS_ALLOWED_ENDPOINTS", "API_KEY_ALLOWED_ENDPOINTS"},
		Doc: "Paths, separated by commas, that API keys reach, each with all below it."}
	JWTExpiresIn = Key[string]{Name: "auth.jwt_expiry", Env: []string{"JWT_EXPIRES_IN"}, Default: "4w", check: checkExpiry,
		Doc: "How long a sign-in lasts: number and unit pairs of ms, s, m, h, d, w; `-1` is for ever."}
	ShowAdminDetails = Key[bool]{Name: "auth.admin.show", Env: []string{"SHOW_ADMIN_DETAILS"}, Default: true,
		Doc: "Whether people who wait for approval see whom to ask."}
	AdminEmail = Key[string]{Name: "auth.admin.email", Env: []string{"ADMIN_EMAIL"},
		Doc: "Whom they are told to ask; empty is the first administrator."}
	UserPermissions = Key[json.RawMessage]{Name: permissionsName, Env: []string{"USER_PERMISSIONS"}, Default: permissionDefaults(), check: checkPermissions,
		Doc: "What people of role user may do; groups add to it. Each USER_PERMISSIONS_… variable pins one leaf."}
)

// What the instance calls itself and shows.
var (
	WebUIName = Key[string]{Name: "webui.name", Env: []string{"WEBUI_NAME"}, Default: "Portico",
		Doc: "Name of this instance."}
	WebUIURL = Key[string]{Name: "webui.url", Env: []string{"WEBUI_URL"}, check: optionalURL,
		Doc: "Address under which people reach this instance."}
	DefaultLocale = Key[string]{Name: "ui.default_locale", Env: []string{"DEFAULT_LOCALE"},
		Doc: "Language of whoever chose none, such as `en-US`; empty is the browser's."}
	Banners = Key[json.RawMessage]{Name: "ui.banners", Env: []string{"WEBUI_BANNERS"}, Default: json.RawMessage(`[]`), check: list,
		Doc: "Notices shown to everybody."}
	PromptSuggestions = Key[json.RawMessage]{Name: "ui.prompt_suggestions", Env: []string{"DEFAULT_PROMPT_SUGGESTIONS"}, Default: json.RawMessage(`[]`), check: list,
		Doc: "First questions to offer."}
	PendingOverlayTitle = Key[string]{Name: "ui.pending_user_overlay_title", Env: []string{"PENDING_USER_OVERLAY_TITLE"},
		Doc: "Heading shown to people who wait for approval."}
	PendingOverlayContent = Key[string]{Name: "ui.pending_user_overlay_content", Env: []string{"PENDING_USER_OVERLAY_CONTENT"},
		Doc: "Text shown to people who wait for approval."}
	ResponseWatermark = Key[string]{Name: "ui.watermark", Env: []string{"RESPONSE_WATERMARK"},
		Doc: "Text added to answers that are copied."}
)

// Switches that the web application reads.
var (
	EnableCommunitySharing = Key[bool]{Name: "ui.enable_community_sharing", Env: []string{"ENABLE_COMMUNITY_SHARING"},
		Doc: "Whether the web application offers to share with a community site."}
	EnableMessageRating = Key[bool]{Name: "ui.enable_message_rating", Env: []string{"ENABLE_MESSAGE_RATING"}, Default: true,
		Doc: "Whether answers can be rated."}
	EnableUserWebhooks = Key[bool]{Name: "ui.enable_user_webhooks", Env: []string{"ENABLE_USER_WEBHOOKS"},
		Doc: "Whether people may have notices sent to an address of their own."}
	EnableDirectConnections = Key[bool]{Name: "direct.enable", Env: []string{"ENABLE_DIRECT_CONNECTIONS"},
		Doc: "Whether people may connect to providers of their own."}
	EnableAdminChatAccess = Key[bool]{Name: "ui.enable_admin_chat_access", Env: []string{"ENABLE_ADMIN_CHAT_ACCESS"}, Default: true,
		Doc: "Whether administrators may read the chats of others."}
	EnableAdminExport = Key[bool]{Name: "ui.enable_admin_export", Env: []string{"ENABLE_ADMIN_EXPORT"}, Default: true,
		Doc: "Whether administrators may export everybody's chats."}
	EnableFolders = Key[bool]{Name: "folders.enable", Env: []string{"ENABLE_FOLDERS"}, Default: true,
		Doc: "Whether chats can be put into folders."}
	EnableNotes = Key[bool]{Name: "notes.enable", Env: []string{"ENABLE_NOTES"}, Default: true,
		Doc: "Whether there are notes."}
	EnableMemories = Key[bool]{Name: "memories.enable", Env: []string{"ENABLE_MEMORIES"}, Default: true,
		Doc: "Whether there are memories."}
)

// Models and their order.
var (
	DefaultModels = Key[string]{Name: "ui.default_models", Env: []string{"DEFAULT_MODELS"},
		Doc: "Models, separated by commas, that a new chat begins with."}
	DefaultPinnedModels = Key[string]{Name: "ui.default_pinned_models", Env: []string{"DEFAULT_PINNED_MODELS"},
		Doc: "Models, separated by commas, that are pinned for whoever pinned none."}
	ModelOrder = Key[[]string]{Name: "ui.model_order_list", Env: []string{"MODEL_ORDER_LIST"}, Default: []string{}, read: readNames,
		Doc: "Ids of models in the order of the list; the others follow by name."}
	TaskModel = Key[string]{Name: "task.model.default", Env: []string{"TASK_MODEL"},
		Doc: "Model for titles, tags and the like when a chat's model is of Ollama; empty is the chat's own."}
	TaskModelExternal = Key[string]{Name: "task.model.external", Env: []string{"TASK_MODEL_EXTERNAL"},
		Doc: "The same when a chat's model is of another provider."}
)

// Connections to providers.
var (
	OpenAIEnable = Key[bool]{Name: "openai.enable", Env: []string{"ENABLE_OPENAI_API"}, Default: true,
		Doc: "Whether OpenAI-compatible connections are used."}
	OpenAIBaseURLs = Key[[]string]{Name: "openai.api_base_urls", Env: []string{"OPENAI_API_BASE_URLS", "OPENAI_API_BASE_URL"}, Default: []string{}, check: urls, read: readURLs(openAIURL),
		Doc: "Addresses of OpenAI-compatible providers, separated by semicolons, up to and with `/v1`."}
	OpenAIKeys = Key[[]string]{Name: "openai.api_keys", Env: []string{"OPENAI_API_KEYS", "OPENAI_API_KEY"}, Default: []string{}, Secret: true,
		Doc: "Their keys, in the same order."}
	OpenAIConfigs = Key[json.RawMessage]{Name: "openai.api_configs", Env: []string{"OPENAI_API_CONFIGS"}, Default: json.RawMessage(`{}`), Secret: true, check: object,
		Doc: "More about each, by position: `{\"0\":{\"enable\",\"prefix_id\",\"model_ids\",\"tags\",\"connection_type\",\"auth_type\",\"headers\",\"provider\"}}`."}

	OllamaEnable = Key[bool]{Name: "ollama.enable", Env: []string{"ENABLE_OLLAMA_API"}, Default: true,
		Doc: "Whether Ollama connections are used."}
	OllamaBaseURLs = Key[[]string]{Name: "ollama.base_urls", Env: []string{"OLLAMA_BASE_URLS", "OLLAMA_BASE_URL"}, Default: []string{ollamaURL}, check: urls, read: readURLs(ollamaURL),
		Doc: "Addresses of Ollama servers, separated by semicolons."}
	OllamaConfigs = Key[json.RawMessage]{Name: "ollama.api_configs", Env: []string{"OLLAMA_API_CONFIGS"}, Default: json.RawMessage(`{}`), Secret: true, check: object,
		Doc: "More about each, by position, as OPENAI_API_CONFIGS, and its `key`."}

	ForwardUserInfo = Key[bool]{Name: "connections.forward_user_info", Env: []string{"ENABLE_FORWARD_USER_INFO_HEADERS"},
		Doc: "Whether providers are told who asks, in X-OpenWebUI-User-… headers."}
)

// Where providers are when nobody says otherwise.
const (
	openAIURL = "https://api.openai.com/v1"
	ollamaURL = "http://127.0.0.1:11434"
)

// All lists every key, in the order of the documentation.
func All() []Descriptor {
	return append([]Descriptor{
		describe(EnableSignup), describe(EnableLoginForm), describe(EnablePasswordAuth), describe(DefaultUserRole),
		describe(DefaultGroupID), describe(EnableAPIKeys), describe(APIKeysRestricted),
		describe(APIKeysAllowedEndpoints), describe(JWTExpiresIn), describe(ShowAdminDetails), describe(AdminEmail),
		describe(UserPermissions),

		describe(WebUIName), describe(WebUIURL), describe(DefaultLocale), describe(Banners), describe(PromptSuggestions),
		describe(PendingOverlayTitle), describe(PendingOverlayContent), describe(ResponseWatermark),

		describe(EnableCommunitySharing), describe(EnableMessageRating), describe(EnableUserWebhooks),
		describe(EnableDirectConnections), describe(EnableAdminChatAccess), describe(EnableAdminExport), describe(EnableFolders), describe(EnableNotes), describe(EnableMemories),

		describe(DefaultModels), describe(DefaultPinnedModels), describe(ModelOrder), describe(TaskModel), describe(TaskModelExternal),

		describe(OpenAIEnable), describe(OpenAIBaseURLs), describe(OpenAIKeys), describe(OpenAIConfigs),
		describe(OllamaEnable), describe(OllamaBaseURLs), describe(OllamaConfigs), describe(ForwardUserInfo),
	}, append(retrievalKeys(), taskKeys()...)...)
}
