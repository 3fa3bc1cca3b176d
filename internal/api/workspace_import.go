package api

import (
	"context"
	"encoding/json"
	"net/http"
	"strings"

	"portico/internal/api/route"
	"portico/internal/auth"
	"portico/internal/errdefs"
	"portico/internal/model"
	"portico/internal/rawjson"
)

// maxImportBody is for many models with their pictures.
const maxImportBody = 64 << 20

// modelImportRoutes take many models at once, and tell what single ones were
// and look like.
func (a *API) modelImportRoutes() []route.Route {
	const base = "/api/v1/models"
	id := []route.Param{{Name: "id", In: "query", Doc: "Id of the model.", Required: true}}
	return []route.Route{
		{
			Method: "POST", Path: base + "/import", Op: "import_models", Tag: "models", Who: route.Verified, MaxBody: maxImportBody,
			Summary: "Store models that were exported", Body: modelsForm{}, Answer: true, Errors: []int{400, 401, 404}, Handler: route.JSON(a.importModels),
			Doc: "All of them or none. Needs the permission workspace.models_import; models that are there are changed if the caller may change them, the others become the caller's. " +
				"Grants to people and groups that are not here are left out.",
		},
		{
			Method: "POST", Path: base + "/sync", Op: "sync_models", Tag: "models", Who: route.Admin, MaxBody: maxImportBody,
			Summary: "Store models, and delete those that are not among them", Body: modelsForm{}, Answer: []modelRow{}, Errors: []int{400, 401, 404}, Handler: route.JSON(a.syncModels),
			Doc: "Also what is laid over base models is deleted when it is not in the list. All or nothing.",
		},
		{
			Method: "DELETE", Path: base + "/delete/all", Op: "delete_all_models", Tag: "models", Who: route.Admin,
			Summary: "Delete all workspace models and what is laid over base models", Answer: true,
			Handler: route.NoBody(func(ctx context.Context, _ *route.Call) (bool, error) {
				err := a.Models.DeleteAll(ctx)
				return err == nil, err
			}),
		},
		{
			Method: "GET", Path: base + "/base/tags", Op: "base_model_tags", Tag: "models", Who: route.Admin,
			Summary: "List the tags of base models", Answer: []string{}, Handler: route.NoBody(a.baseTags),
		},
		{
			Method: "GET", Path: base + "/model/history", Op: "model_history", Tag: "models", Who: route.Verified, Params: id,
			Summary: "What a model was before it was changed", Answer: []modelVersion{}, Errors: []int{401, 404}, Handler: a.modelHistory,
			Doc: "The last 20 versions, the latest first, for whoever may change the model. POST a `snapshot` to /api/v1/models/model/update to go back to it.",
		},
		{
			Method: "GET", Path: base + "/model/profile/image", Op: "model_image", Tag: "models", Who: route.Verified, Params: id,
			Summary: "A model's picture", Produces: "image/png, image/jpeg, image/gif, image/webp", Handler: a.modelImage,
			Doc: "The default picture where a model has none, does not exist, or is not for the caller.",
		},
	}
}

type modelsForm struct {
	Models []modelForm `json:"models" require:"true"`
}

// modelVersion describes what a model was.
type modelVersion struct {
	ID        string   `json:"id"`
	ModelID   string   `json:"model_id"`
	UserID    string   `json:"user_id"` // who changed it
	Snapshot  modelRow `json:"snapshot"`
	CreatedAt int64    `json:"created_at"` // since when it was so
}

// drafts reads what may lack what exports of other versions do not have.
func (f *modelsForm) drafts() ([]model.Draft, error) {
	out := make([]model.Draft, len(f.Models))
	for i := range f.Models {
		m := &f.Models[i]
		for _, part := range []*json.RawMessage{&m.Meta, &m.Params} {
			if len(*part) == 0 || string(*part) == "null" {
				*part = json.RawMessage("{}")
			}
		}
		var err error
		if out[i], err = m.draft(); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (a *API) importModels(ctx context.Context, c *route.Call, in modelsForm) (bool, error) {
	who, err := a.author(ctx, c)
	if err != nil {
		return false, err
	}
	if !who.Has("workspace.models_import") {
		return false, errdefs.New(errdefs.Forbidden, "You may not import models. Ask an administrator for the permission.").WithStatus(http.StatusUnauthorized)
	}
	drafts, err := in.drafts()
	if err != nil {
		return false, err
	}
	err = a.Models.Import(ctx, who, drafts)
	return err == nil, err
}

func (a *API) syncModels(ctx context.Context, c *route.Call, in modelsForm) ([]model.Sheet, error) {
	who, err := a.author(ctx, c)
	if err != nil {
		return nil, err
	}
	drafts, err := in.drafts()
	if err != nil {
		return nil, err
	}
	if err := a.Models.Sync(ctx, who, drafts); err != nil {
		return nil, err
	}
	return a.sheets(ctx, c, func(model.Sheet) bool { return true })
}

func (a *API) baseTags(ctx context.Context, c *route.Call) ([]string, error) {
	sheets, err := a.Models.Sheets(ctx, c.Who)
	if err != nil {
		return nil, err
	}
	return sheetTags(sheets, func(s model.Sheet) bool { return s.BaseModelID == "" }), nil
}

func (a *API) modelHistory(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	id := args.Required("id")
	if err := args.Err(); err != nil {
		return err
	}
	versions, err := a.Models.History(r.Context(), c.Who, id)
	if err != nil {
		return err
	}
	return route.WriteJSON(w, http.StatusOK, notNil(versions))
}

// modelImage serves what was stored if it is a picture: addresses elsewhere
// are neither fetched nor redirected to.
func (a *API) modelImage(w http.ResponseWriter, r *http.Request, c *route.Call) error {
	args := route.ArgsOf(r)
	id := args.Required("id")
	if err := args.Err(); err != nil {
		return err
	}
	sheet, err := a.Models.Get(r.Context(), c.Who, id)
	if err != nil && !errdefs.Is(err, errdefs.NotFound) {
		return err
	}
	if sheet != nil {
		if image, ok := rawjson.Unquote(rawjson.Lookup(sheet.Meta, "profile_image_url")); ok && strings.HasPrefix(image, "data:") {
			if media, picture, err := auth.DecodeImage(image); err == nil {
				return writePicture(w, media, picture)
			}
		}
	}
	return writePicture(w, "image/png", silhouette())
}
