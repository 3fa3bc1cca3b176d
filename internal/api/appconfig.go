package api

import (
	"context"
	"encoding/json"

	"portico/internal/access"
	"portico/internal/api/route"
	"portico/internal/setting"
)

// appConfigRoutes is what a web application asks first.
func (a *API) appConfigRoutes() []route.Route {
	return []route.Route{{
		Method: "GET", Path: "/api/config", Op: "app_config", Tag: "service", Who: route.Public,
		Summary: "What a web application must know before it can begin", Answer: appConfig{},
		Doc: "Strangers, and API keys, see how to sign in and nothing else; people with a session also see which features are on; " +
			"verified people see defaults and their permissions, too.",
		Handler: route.NoBody(a.appConfig),
	}}
}

// appConfig is the answer. The embedded parts are there only for those who may
// see them.
type appConfig struct {
	Onboarding    bool           `json:"onboarding,omitempty"` // there is nobody yet: offer to sign up
	Status        bool           `json:"status"`
	Name          string         `json:"name"`
	Version       string         `json:"version"`
	DefaultLocale string         `json:"default_locale"`
	I18n          map[string]any `json:"i18n"`
	OAuth         configOAuth    `json:"oauth"`
	Features      configFeatures `json:"features"`
	*configMember
	UI any `json:"ui,omitempty"`
}

type configOAuth struct {
	Providers    map[string]string `json:"providers"`
	AutoRedirect bool              `json:"auto_redirect"`
}

// configFeatures begins with what strangers see.
type configFeatures struct {
	Slim                             bool `json:"slim"`
	Auth                             bool `json:"auth"`
	AuthTrustedHeader                bool `json:"auth_trusted_header"`
	EnableSignupPasswordConfirmation bool `json:"enable_signup_password_confirmation"`
	EnableLDAP                       bool `json:"enable_ldap"`
	EnableSignup                     bool `json:"enable_signup"`
	EnableLoginForm                  bool `json:"enable_login_form"`
	EnableWebsocket                  bool `json:"enable_websocket"`
	*signedInFeatures
}

// signedInFeatures are the switches for people with a session. What this
// server does not have is off.
type signedInFeatures struct {
	EnableAPIKeys                bool   `json:"enable_api_keys"`
	EnablePasswordChangeForm     bool   `json:"enable_password_change_form"`
	EnableVersionUpdateCheck     bool   `json:"enable_version_update_check"`
	EnablePyodideFilePersistence bool   `json:"enable_pyodide_file_persistence"`
	EnablePublicActiveUsersCount bool   `json:"enable_public_active_users_count"`
	EnableEasterEggs             bool   `json:"enable_easter_eggs"`
	EnableDirectConnections      bool   `json:"enable_direct_connections"`
	EnableDirectIntegrations     bool   `json:"enable_direct_integrations"`
	EnablePlugins                bool   `json:"enable_plugins"`
	EnableTools                  bool   `json:"enable_tools"`
	EnableFunctions              bool   `json:"enable_functions"`
	EnableToolServers            bool   `json:"enable_tool_servers"`
	EnableTerminalServers        bool   `json:"enable_terminal_servers"`
	EnableFolders                bool   `json:"enable_folders"`
	FolderMaxFileCount           string `json:"folder_max_file_count"` // "" is no limit
	EnableChannels               bool   `json:"enable_channels"`
	EnableEncryptedChannels      bool   `json:"enable_encrypted_channels"`
	EnableApps                   bool   `json:"enable_apps"`
	EnableCalendar               bool   `json:"enable_calendar"`
	EnableAutomations            bool   `json:"enable_automations"`
	EnableNotes                  bool   `json:"enable_notes"`
	EnableContextCompaction      bool   `json:"enable_context_compaction"`
	EnableToolPermissions        bool   `json:"enable_tool_permissions"`
	EnableWebSearch              bool   `json:"enable_web_search"`
	EnableWebSearchConfirmation  bool   `json:"enable_web_search_confirmation"`
	WebSearchConfirmationContent string `json:"web_search_confirmation_content"`
	EnableCodeExecution          bool   `json:"enable_code_execution"`
	EnableCodeInterpreter        bool   `json:"enable_code_interpreter"`
	EnableImageGeneration        bool   `json:"enable_image_generation"`
	EnableAutocompleteGeneration bool   `json:"enable_autocomplete_generation"`
	EnableTitleGeneration        bool   `json:"enable_title_generation"`
	EnableFollowUpGeneration     bool   `json:"enable_follow_up_generation"`
	EnableTagsGeneration         bool   `json:"enable_tags_generation"`
	EnableCommunitySharing       bool   `json:"enable_community_sharing"`
	EnableMessageRating          bool   `json:"enable_message_rating"`
	EnableUserWebhooks           bool   `json:"enable_user_webhooks"`
	EnableUserStatus             bool   `json:"enable_user_status"`
	EnableAdminExport            bool   `json:"enable_admin_export"`
	EnableAdminChatAccess        bool   `json:"enable_admin_chat_access"`
	EnableAdminAnalytics         bool   `json:"enable_admin_analytics"`
	EnableGoogleDriveIntegration bool   `json:"enable_google_drive_integration"`
	EnableOneDriveIntegration    bool   `json:"enable_onedrive_integration"`
	EnableMemories               bool   `json:"enable_memories"`
	EnableSubagents              bool   `json:"enable_subagents"`
}

// configMember is for people past "pending".
type configMember struct {
	DefaultModels                *string             `json:"default_models"`
	DefaultPinnedModels          *string             `json:"default_pinned_models"`
	DefaultPromptSuggestions     json.RawMessage     `json:"default_prompt_suggestions"`
	DefaultPromptSuggestionsI18n map[string]any      `json:"default_prompt_suggestions_i18n"`
	Code                         configCode          `json:"code"`
	Audio                        configAudio         `json:"audio"`
	File                         configFile          `json:"file"`
	Permissions                  setting.Permissions `json:"permissions"`
	GoogleDrive                  configGoogleDrive   `json:"google_drive"`
	OneDrive                     configOneDrive      `json:"onedrive"`
	LicenseMetadata              any                 `json:"license_metadata"`
}

type configCode struct {
	Engine            string `json:"engine"`
	InterpreterEngine string `json:"interpreter_engine"`
}

type configAudio struct {
	Realtime struct {
		Enabled bool   `json:"enabled"`
		Model   string `json:"model"`
		Voice   string `json:"voice"`
	} `json:"realtime"`
	TTS struct {
		Engine  string `json:"engine"`
		Voice   string `json:"voice"`
		SplitOn string `json:"split_on"`
	} `json:"tts"`
	STT struct {
		Engine string `json:"engine"`
	} `json:"stt"`
}

type configFile struct {
	MaxSize          *int `json:"max_size"`
	MaxCount         *int `json:"max_count"`
	ImageCompression struct {
		Width  *int `json:"width"`
		Height *int `json:"height"`
	} `json:"image_compression"`
}

type configGoogleDrive struct {
	ClientID string `json:"client_id"`
	APIKey   string `json:"api_key"`
}

type configOneDrive struct {
	ClientIDPersonal   string `json:"client_id_personal"`
	ClientIDBusiness   string `json:"client_id_business"`
	SharepointURL      string `json:"sharepoint_url"`
	SharepointTenantID string `json:"sharepoint_tenant_id"`
}

// configPendingUI is what somebody who waits for approval is shown.
type configPendingUI struct {
	PendingUserOverlayTitle   string `json:"pending_user_overlay_title"`
	PendingUserOverlayContent string `json:"pending_user_overlay_content"`
}

type configUI struct {
	configPendingUI
	DefaultInterfaceSettings map[string]any `json:"default_interface_settings"`
	Visibility               map[string]any `json:"visibility"`
	ResponseWatermark        string         `json:"response_watermark"`
	IframeCSP                string         `json:"iframe_csp"`
}

// name is what the instance calls itself.
func (a *API) name() string { return setting.Get(a.Settings, setting.WebUIName) }

func (a *API) appConfig(ctx context.Context, c *route.Call) (*appConfig, error) {
	s := a.Settings
	out := &appConfig{
		Status: true, Name: a.name(), Version: Compatible, DefaultLocale: setting.Get(s, setting.DefaultLocale),
		I18n: map[string]any{}, OAuth: configOAuth{Providers: map[string]string{}},
		Features: configFeatures{
			Auth:              !a.Config.NoAuth,
			AuthTrustedHeader: a.Config.TrustedProxy,
			EnableSignup:      setting.Get(s, setting.EnableSignup),
			EnableLoginForm:   setting.Get(s, setting.EnableLoginForm),
		},
	}
	populated, err := a.Auth.Populated(ctx)
	if err != nil {
		return nil, err
	}
	out.Onboarding = !populated
	if c.Who == nil || c.Who.Method == access.ByKey {
		return out, nil
	}
	out.Features.signedInFeatures = signedIn(s)
	waiting := configPendingUI{
		PendingUserOverlayTitle:   setting.Get(s, setting.PendingOverlayTitle),
		PendingUserOverlayContent: setting.Get(s, setting.PendingOverlayContent),
	}
	if !c.Who.Verified() {
		out.UI = waiting
		return out, nil
	}
	out.UI = configUI{
		configPendingUI: waiting, DefaultInterfaceSettings: map[string]any{}, Visibility: map[string]any{},
		ResponseWatermark: setting.Get(s, setting.ResponseWatermark),
	}
	out.configMember, err = a.memberConfig(ctx, c.Who.UserID)
	return out, err
}

func signedIn(s *setting.Settings) *signedInFeatures {
	return &signedInFeatures{
		EnableAPIKeys:            setting.Get(s, setting.EnableAPIKeys),
		EnablePasswordChangeForm: setting.Get(s, setting.EnablePasswordAuth),
		EnableDirectConnections:  setting.Get(s, setting.EnableDirectConnections),
		EnableFolders:            setting.Get(s, setting.EnableFolders),
		EnableNotes:              setting.Get(s, setting.EnableNotes),
		EnableMemories:           setting.Get(s, setting.EnableMemories),
		EnableCommunitySharing:   setting.Get(s, setting.EnableCommunitySharing),
		EnableMessageRating:      setting.Get(s, setting.EnableMessageRating),
		EnableUserWebhooks:       setting.Get(s, setting.EnableUserWebhooks),
	}
}

func (a *API) memberConfig(ctx context.Context, userID string) (*configMember, error) {
	permissions, err := a.Auth.Permissions(ctx, userID)
	if err != nil {
		return nil, err
	}
	return &configMember{
		DefaultModels:                orNull(setting.Get(a.Settings, setting.DefaultModels)),
		DefaultPinnedModels:          orNull(setting.Get(a.Settings, setting.DefaultPinnedModels)),
		DefaultPromptSuggestions:     setting.Get(a.Settings, setting.PromptSuggestions),
		DefaultPromptSuggestionsI18n: map[string]any{},
		Permissions:                  permissions,
	}, nil
}

// orNull is for texts that the documented API leaves out by null.
func orNull(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}
