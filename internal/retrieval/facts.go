package retrieval

import (
	"encoding/json"
	"strconv"

	"portico/internal/setting"
)

// Facts is what is told of a passage beside its text: where it stands and in
// which file. The names are those of the documented API.
type Facts struct {
	Name        string `json:"name"`
	Source      string `json:"source"`
	FileID      string `json:"file_id"`
	Hash        string `json:"hash"`      // of the file's text
	FileHash    string `json:"file_hash"` // of its bytes
	Size        int64  `json:"size"`
	ContentType string `json:"content_type"`
	CreatedBy   string `json:"created_by"`
	Collection  string `json:"collection_name,omitempty"`
	Embedding   string `json:"embedding_config"` // JSON in a text
	Start       int    `json:"start_index"`      // characters in the file's text
	End         int    `json:"end_index"`
	Page        *int   `json:"page,omitempty"` // from 0, where pages have numbers
	PageLabel   string `json:"page_label,omitempty"`
	LastLabel   string `json:"last_page_label,omitempty"`
	Context     string `json:"context,omitempty"` // title, headings, header of the table
}

// FactsOf tells of a passage of a file.
func (s *Service) FactsOf(p *Passage) Facts {
	m := Facts{Name: p.Name, Source: p.Source, FileID: p.FileID, Start: p.First, End: p.Last,
		PageLabel: p.Page, LastLabel: p.LastPage, Context: p.Context, Embedding: s.embeddingConfig()}
	if n, err := strconv.Atoi(p.Page); err == nil && n > 0 {
		n--
		m.Page = &n
	}
	if f := p.File; f != nil {
		m.Hash, m.FileHash, m.Size, m.ContentType, m.CreatedBy = f.TextHash, f.Blob, f.Size, f.ContentType, f.UserID
	}
	return m
}

// describe puts the facts into the metadata of the passages of a source.
func (s *Service) describe(src *Source) {
	for i := range src.Passages {
		p := &src.Passages[i]
		if p.FileID == "" || len(p.Metadata) > 0 {
			continue
		}
		facts := s.FactsOf(p)
		if src.Item.Type == "collection" {
			facts.Collection = src.Item.ID
		}
		p.Metadata, _ = json.Marshal(facts) // strings and numbers: cannot fail
	}
}

// embeddingConfig names what embeds.
func (s *Service) embeddingConfig() string {
	raw, _ := json.Marshal(map[string]string{ // strings: cannot fail
		"engine": setting.Get(s.cfg.Settings, setting.EmbeddingEngine), "model": setting.Get(s.cfg.Settings, setting.EmbeddingModel),
	})
	return string(raw)
}
