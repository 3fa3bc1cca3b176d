package api

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"

	"portico/internal/api/route"
	"portico/internal/setting"
)

// adminConfigRoutes are the settings of accounts and of the web application,
// by the upper-case names of the documented form.
func (a *API) adminConfigRoutes() []route.Route {
	const base = "/api/v1/auths/admin/config"
	return ofAccounts([]route.Route{
		{
			Method: "GET", Path: base, Op: "admin_config", Tag: "auths", Who: route.Admin,
			Summary: "Settings of accounts", Answer: map[string]json.RawMessage{},
			Handler: route.NoBody(a.adminConfig),
		},
		{
			Method: "POST", Path: base, Op: "set_admin_config", Tag: "auths", Who: route.Admin,
			Summary: "Change settings of accounts", Body: map[string]json.RawMessage{}, Answer: map[string]json.RawMessage{},
			Doc:    "What is not given stays as it is. A value that the operator pinned can only be given as it is.",
			Errors: []int{400, 409}, Handler: a.setAdminConfig,
		},
		{
			Method: "GET", Path: base + "/ldap", Op: "ldap_config", Tag: "auths", Who: route.Admin,
			Summary: "Whether a directory lets people in: it does not", Answer: map[string]bool{},
			Handler: route.NoBody(func(context.Context, *route.Call) (map[string]bool, error) {
				return map[string]bool{"ENABLE_LDAP": false}, nil
			}),
		},
	})
}

// adminForm is the form's name of each setting.
var adminForm = []struct{ field, name string }{
	{"SHOW_ADMIN_DETAILS", setting.ShowAdminDetails.Name},
	{"ADMIN_EMAIL", setting.AdminEmail.Name},
	{"WEBUI_URL", setting.WebUIURL.Name},
	{"ENABLE_SIGNUP", setting.EnableSignup.Name},
	{"ENABLE_LOGIN_FORM", setting.EnableLoginForm.Name},
	{"ENABLE_API_KEYS", setting.EnableAPIKeys.Name},
	{"ENABLE_API_KEYS_ENDPOINT_RESTRICTIONS", setting.APIKeysRestricted.Name},
	{"API_KEYS_ALLOWED_ENDPOINTS", setting.APIKeysAllowedEndpoints.Name},
	{"DEFAULT_USER_ROLE", setting.DefaultUserRole.Name},
	{"DEFAULT_GROUP_ID", setting.DefaultGroupID.Name},
	{"JWT_EXPIRES_IN", setting.JWTExpiresIn.Name},
	{"ENABLE_COMMUNITY_SHARING", setting.EnableCommunitySharing.Name},
	{"ENABLE_MESSAGE_RATING", setting.EnableMessageRating.Name},
	{"ENABLE_FOLDERS", setting.EnableFolders.Name},
	{"ENABLE_NOTES", setting.EnableNotes.Name},
	{"ENABLE_MEMORIES", setting.EnableMemories.Name},
	{"ENABLE_USER_WEBHOOKS", setting.EnableUserWebhooks.Name},
	{"PENDING_USER_OVERLAY_TITLE", setting.PendingOverlayTitle.Name},
	{"PENDING_USER_OVERLAY_CONTENT", setting.PendingOverlayContent.Name},
	{"RESPONSE_WATERMARK", setting.ResponseWatermark.Name},
}

// adminAbsent are the fields of features that are not here, as they are where
// those are off: who reads the form finds all of it.
var adminAbsent = map[string]json.RawMessage{
	"ENABLE_MFA": json.RawMessage("false"), "MFA_ALLOW_OAUTH_BYPASS": json.RawMessage("false"), "MFA_ALLOW_TRUSTED_HEADER_BYPASS": json.RawMessage("false"),
	"DEFAULT_INTERFACE_SETTINGS": json.RawMessage("{}"), "I18N": json.RawMessage("{}"), "FOLDER_MAX_FILE_COUNT": json.RawMessage(`""`),
	"ENABLE_AUTOMATIONS": json.RawMessage("false"), "AUTOMATION_MAX_COUNT": json.RawMessage(`""`), "AUTOMATION_MIN_INTERVAL": json.RawMessage(`""`),
	"ENABLE_CHANNELS": json.RawMessage("false"), "ENABLE_ENCRYPTED_CHANNELS": json.RawMessage("false"), "CHANNEL_MODEL_RESPONSE_MODE": json.RawMessage(`"thread"`),
	"ENABLE_APPS": json.RawMessage("false"), "ENABLE_CALENDAR": json.RawMessage("false"), "ENABLE_USER_STATUS": json.RawMessage("false"),
	"ENABLE_MEMORY_SYSTEM_CONTEXT": json.RawMessage("false"), "ENABLE_SKILL_LAZY_LOADING": json.RawMessage("false"),
	"SKILL_CONTENT_MAX_CHARS": json.RawMessage("null"), "SKILL_PREVIEW_MAX_CHARS": json.RawMessage("null"),
}

func (a *API) adminConfig(context.Context, *route.Call) (map[string]json.RawMessage, error) {
	out := maps.Clone(adminAbsent)
	for _, f := range adminForm {
		out[f.field] = a.Settings.Raw(f.name)
	}
	return out, nil
}

// setAdminConfig takes the whole form or a part of it. Fields of features that
// are not here are ignored; null leaves a setting as it is.
func (a *API) setAdminConfig(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	var in map[string]json.RawMessage
	if err := route.Decode(w, r, c, &in); err != nil {
		return err
	}
	values := map[string]any{}
	for _, f := range adminForm {
		if v, ok := in[f.field]; ok && string(v) != "null" {
			values[f.name] = v
		}
	}
	if err := a.Settings.Set(r.Context(), values); err != nil {
		return err
	}
	out, err := a.adminConfig(r.Context(), c)
	if err != nil {
		return err
	}
	// Sessions are ended by people and by passwords, never by this form.
	out["sessions_revoked"] = json.RawMessage("false")
	return route.WriteJSON(w, http.StatusOK, out)
}
