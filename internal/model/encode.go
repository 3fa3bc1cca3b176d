package model

import (
	"slices"
	"strconv"

	"portico/internal/access"
	"portico/internal/rawjson"
)

// encode writes the entry as GET /api/models has it, or takes over what the
// last snapshot wrote when it was made of the same.
func (e *Entry) encode(last *Entry) {
	if last != nil && last.ID == e.ID && last.base == e.base && last.Row == e.Row && sameGrants(last.grants, e.grants) {
		e.body = last.body
		return
	}
	b := rawjson.AppendString([]byte(`{"id":`), e.ID)
	b = append(b, `,"name":`...)
	b = rawjson.AppendString(b, e.name)
	if e.Row != nil && e.Row.BaseModelID != "" {
		b = e.appendPreset(b)
	} else {
		b = append(b, e.base.rest...)
	}
	var tags []string
	if e.base != nil && e.over == nil {
		tags = e.base.tags
	}
	if e.Row != nil {
		b = append(b, `,"info":`...)
		b = e.Row.appendInfo(b, e.grants)
		for _, t := range e.Row.Tags() {
			if !slices.Contains(tags, t) {
				tags = append(tags[:len(tags):len(tags)], t)
			}
		}
	}
	b = append(b, `,"actions":[],"filters":[],"tags":`...)
	b = appendTags(b, tags)
	e.body = append(b, '}')
}

func sameGrants(a, b []access.Grant) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

// appendPreset writes what a workspace model has in the place of an upstream's
// own words.
func (e *Entry) appendPreset(b []byte) []byte {
	owned, conn, loaded := "openai", "external", false
	if e.base != nil {
		owned, conn, loaded = e.base.ownedBy(), e.base.connType, e.base.loaded
	}
	b = append(b, `,"object":"model","created":`...)
	b = strconv.AppendInt(b, e.Row.CreatedAt, 10)
	b = append(b, `,"owned_by":`...)
	b = rawjson.AppendString(b, owned)
	b = append(b, `,"connection_type":`...)
	b = rawjson.AppendString(b, conn)
	b = append(b, `,"preset":true`...)
	if loaded {
		b = append(b, `,"loaded":true`...)
	}
	return b
}

// Tags are those of the row's meta.
func (r *Row) Tags() (tags []string) {
	rawjson.Elements(rawjson.Lookup(r.Meta, "tags"), func(raw []byte) { tags = appendTag(tags, raw) })
	return tags
}

// appendInfo writes the row for whoever may use the model: without its
// parameters, in which a system prompt may be, and without its picture, which
// may be large.
func (r *Row) appendInfo(b []byte, grants []access.Grant) []byte {
	return r.append(b, grants, public(r.Params), without(r.Meta, "profile_image_url"))
}

// AppendJSON writes the row in the API's shape. Without full its parameters
// are left out.
func (r *Row) AppendJSON(b []byte, grants []access.Grant, full bool) []byte {
	params := object(r.Params)
	if !full {
		params = public(r.Params)
	}
	return r.append(b, grants, params, object(r.Meta))
}

func (r *Row) append(b []byte, grants []access.Grant, params, meta []byte) []byte {
	b = append(b, `{"version_id":`...)
	b = rawjson.AppendString(b, r.VersionID)
	b = append(b, `,"id":`...)
	b = rawjson.AppendString(b, r.ID)
	b = append(b, `,"user_id":`...)
	b = rawjson.AppendString(b, r.UserID)
	b = append(b, `,"base_model_id":`...)
	if r.BaseModelID == "" {
		b = append(b, "null"...)
	} else {
		b = rawjson.AppendString(b, r.BaseModelID)
	}
	b = append(b, `,"name":`...)
	b = rawjson.AppendString(b, r.Name)
	b = append(b, `,"params":`...)
	b = append(b, params...)
	b = append(b, `,"meta":`...)
	b = append(b, meta...)
	b = append(b, `,"access_grants":[`...)
	for i := range grants {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendGrant(b, &grants[i])
	}
	b = append(b, `],"is_active":`...)
	b = strconv.AppendBool(b, r.IsActive)
	b = append(b, `,"updated_at":`...)
	b = strconv.AppendInt(b, r.UpdatedAt, 10)
	b = append(b, `,"created_at":`...)
	b = strconv.AppendInt(b, r.CreatedAt, 10)
	return append(b, '}')
}

func appendGrant(b []byte, g *access.Grant) []byte {
	for _, m := range [...]struct{ key, value string }{
		{`{"id":`, g.ID}, {`,"resource_type":`, string(g.ResourceType)}, {`,"resource_id":`, g.ResourceID},
		{`,"principal_type":`, g.PrincipalType}, {`,"principal_id":`, g.PrincipalID}, {`,"permission":`, g.Permission},
	} {
		b = append(b, m.key...)
		b = rawjson.AppendString(b, m.value)
	}
	b = append(b, `,"created_at":`...)
	b = strconv.AppendInt(b, g.CreatedAt, 10)
	return append(b, '}')
}

// public keeps of parameters what a client needs and what gives nothing away.
func public(params []byte) []byte {
	var doc rawjson.Doc
	if doc.Parse(params, rawjson.Limits{}) != nil {
		return []byte("{}")
	}
	return doc.Append(nil, func(key []byte) bool {
		return string(key) != "model_controls" && string(key) != "compact_token_threshold"
	}, nil)
}

// without drops one member of an object.
func without(raw []byte, name string) []byte {
	var doc rawjson.Doc
	if doc.Parse(raw, rawjson.Limits{}) != nil {
		return []byte("{}")
	}
	return doc.Append(nil, func(key []byte) bool { return string(key) == name }, nil)
}

// object is raw if it is a JSON object, else an empty one.
func object(raw []byte) []byte {
	if !rawjson.IsObject(raw) || !rawjson.Valid(raw) {
		return []byte("{}")
	}
	return raw
}
