package knowledge

import (
	"context"
	"encoding/json"
	"net/http"
	"reflect"

	"portico/internal/access"
	"portico/internal/errdefs"
)

// Draft is what an author gives of a collection. Nil fields stay as they are.
type Draft struct {
	Name        string
	Description string
	Meta        json.RawMessage
	Grants      *[]access.Grant
	Settings    *Settings
}

func (d *Draft) check() error {
	if err := checkName("collection", d.Name); err != nil {
		return err
	}
	if len(d.Description) > maxDescription {
		return errdefs.Newf(errdefs.Invalid, "The description of a collection has at most %d bytes.", maxDescription)
	}
	if d.Settings != nil {
		return d.Settings.check()
	}
	return nil
}

// check refuses settings that nothing can be cut or searched by.
func (s *Settings) check() error {
	const maxChunk = 8192
	size := s.ChunkSize
	if size == 0 {
		size = maxChunk
	}
	unit := func(f *float64) bool { return f == nil || *f >= 0 && *f <= 1 }
	switch {
	case s.Splitter != "" && s.Splitter != "character" && s.Splitter != "token" && s.Splitter != "token_transformers":
		return errdefs.New(errdefs.Invalid, "settings.text_splitter is character, token or token_transformers.")
	case s.ChunkSize < 0 || s.ChunkSize > maxChunk:
		return errdefs.Newf(errdefs.Invalid, "settings.chunk_size is 1 to %d; without it the instance's is used.", maxChunk)
	case s.Overlap != nil && (*s.Overlap < 0 || *s.Overlap >= size):
		return errdefs.New(errdefs.Invalid, "settings.chunk_overlap is at least 0 and less than the chunk size.")
	case s.MinSize != nil && (*s.MinSize < 0 || *s.MinSize > size):
		return errdefs.New(errdefs.Invalid, "settings.chunk_min_size_target is at least 0 and at most the chunk size.")
	case s.Engine != "" && s.Engine != "local" && s.Engine != "ollama" && s.Engine != "openai":
		return errdefs.New(errdefs.Invalid, "settings.embedding_engine is local, ollama or openai.")
	case len(s.Model) > maxName:
		return errdefs.Newf(errdefs.Invalid, "settings.embedding_model has at most %d bytes.", maxName)
	case s.TopK < 0 || s.TopK > 100:
		return errdefs.New(errdefs.Invalid, "settings.top_k is 1 to 100; without it the instance's is used.")
	case !unit(s.Weight) || !unit(s.Threshold):
		return errdefs.New(errdefs.Invalid, "settings.hybrid_bm25_weight and settings.relevance_threshold are 0 to 1.")
	}
	return nil
}

// Create makes a collection. Grants that the author may not give are left out.
func (s *Service) Create(ctx context.Context, who access.Author, d Draft) (*Sheet, error) {
	if !who.Has("workspace.knowledge") {
		return nil, errdefs.New(errdefs.Forbidden, "You may not make collections. Ask an administrator for the permission.").WithStatus(http.StatusUnauthorized)
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	var grants []access.Grant
	if d.Grants != nil {
		var err error
		if grants, err = who.Gives("knowledge", *d.Grants); err != nil {
			return nil, err
		}
	}
	now := s.now()
	k := &Knowledge{ID: s.cfg.NewID(), UserID: who.UserID, Kind: Collection, Name: d.Name, Description: d.Description,
		Meta: d.Meta, CreatedAt: now, UpdatedAt: now}
	if d.Settings != nil {
		k.Settings = *d.Settings
	}
	if err := s.cfg.Store.CreateKnowledge(ctx, k, grants); err != nil {
		return nil, err
	}
	if d.Settings != nil {
		if err := s.cfg.Indexer.Reprofile(ctx, k); err != nil {
			return nil, err
		}
	}
	return s.sheet(ctx, who.Principal, k)
}

// Update replaces what a draft gives. Changed settings begin to be built at
// once; searches use the old ones until that is done.
func (s *Service) Update(ctx context.Context, who access.Author, id string, d Draft) (*Sheet, error) {
	k, err := s.collection(ctx, who.Principal, access.Write, id)
	if err != nil {
		return nil, err
	}
	if err := d.check(); err != nil {
		return nil, err
	}
	if d.Grants != nil {
		if err := s.mayGive(ctx, who, id, *d.Grants); err != nil {
			return nil, err
		}
	}
	was := k.Settings
	k.Name, k.Description, k.UpdatedAt = d.Name, d.Description, s.now()
	if d.Meta != nil {
		k.Meta = d.Meta
	}
	if d.Settings != nil {
		k.Settings = *d.Settings
	}
	if err := s.cfg.Store.UpdateKnowledge(ctx, k); err != nil {
		return nil, err
	}
	if d.Grants != nil {
		if err := s.cfg.Grants.SetGrants(ctx, access.Knowledge, id, *d.Grants); err != nil {
			return nil, err
		}
	}
	if !reflect.DeepEqual(was, k.Settings) {
		if err := s.cfg.Indexer.Reprofile(ctx, k); err != nil {
			return nil, err
		}
		if k, err = s.cfg.Store.KnowledgeByID(ctx, id); err != nil { // it may have a next profile now
			return nil, err
		}
	}
	return s.sheet(ctx, who.Principal, k)
}

// SetAccess replaces the grants of a collection.
func (s *Service) SetAccess(ctx context.Context, who access.Author, id string, grants []access.Grant) (*Sheet, error) {
	k, err := s.collection(ctx, who.Principal, access.Write, id)
	if err != nil {
		return nil, err
	}
	if err := s.mayGive(ctx, who, id, grants); err != nil {
		return nil, err
	}
	if err := s.cfg.Grants.SetGrants(ctx, access.Knowledge, id, grants); err != nil {
		return nil, err
	}
	return s.sheet(ctx, who.Principal, k)
}

func (s *Service) mayGive(ctx context.Context, who access.Author, id string, grants []access.Grant) error {
	have, err := s.cfg.Grants.GrantsOf(ctx, access.Knowledge, id)
	if err != nil {
		return err
	}
	if err := who.MayGive("knowledge", have, grants); err != nil {
		// Not to be mistaken for a collection that is not the caller's to change.
		e := errdefs.From(err)
		return e.WithStatus(e.HTTPStatus())
	}
	return nil
}

// Delete removes a collection with its links, directories and grants, and from
// the models that used it. The files stay.
func (s *Service) Delete(ctx context.Context, who *access.Principal, id string) error {
	if _, err := s.collection(ctx, who, access.Write, id); err != nil {
		return err
	}
	return s.cfg.Store.DeleteKnowledge(ctx, id)
}

// Reset empties a collection: its files leave it as RemoveFile lets them, and
// its directories go when that is asked for.
func (s *Service) Reset(ctx context.Context, who *access.Principal, id string, directories bool) (*Sheet, error) {
	k, err := s.collection(ctx, who, access.Write, id)
	if err != nil {
		return nil, err
	}
	entries, err := s.entries(ctx, id)
	if err != nil {
		return nil, err
	}
	if err := s.leave(ctx, who, id, entries, !s.cfg.Retain()); err != nil {
		return nil, err
	}
	if directories {
		all, err := s.cfg.Store.Directories(ctx, id)
		if err != nil {
			return nil, err
		}
		var tops []string
		for _, d := range all {
			if d.ParentID == "" {
				tops = append(tops, d.ID)
			}
		}
		if err := s.cfg.Store.DeleteDirectories(ctx, id, tops); err != nil {
			return nil, err
		}
	}
	return s.sheet(ctx, who, k)
}

// Reindex begins to build every collection anew where its settings or the
// instance's changed. It gives how many there are.
func (s *Service) Reindex(ctx context.Context) (int, error) {
	const step = 500
	for n := 0; ; n += step {
		page, total, err := s.cfg.Store.KnowledgeList(ctx, Filter{All: true, OrderBy: "created_at", Ascending: true, Offset: n, Limit: step})
		if err != nil {
			return 0, err
		}
		for _, l := range page {
			if err := s.cfg.Indexer.Reprofile(ctx, l.Knowledge); err != nil {
				return 0, err
			}
		}
		if n+len(page) >= total || len(page) == 0 {
			return total, nil
		}
	}
}
