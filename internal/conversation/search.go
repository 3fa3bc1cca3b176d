package conversation

import (
	"context"
	"strings"

	"portico/internal/access"
)

// PageSize is how many chats a page lists.
const PageSize = 60

// Search finds the caller's chats by words in their titles and messages, and
// by what stands in the text as tag:name, folder:name, pinned:true,
// archived:true or shared:true. Archived ones are found when asked for.
func (s *Service) Search(ctx context.Context, who *access.Principal, text string, page int) ([]*Chat, error) {
	f := Filter{UserID: who.UserID, Offset: (page - 1) * PageSize, Limit: PageSize}
	no := false
	f.Archived = &no
	var words, folders []string
	for _, word := range strings.Fields(strings.ToLower(text)) {
		what, value, _ := strings.Cut(word, ":")
		switch {
		case what == "tag" && value == "none":
			f.Untagged = true
		case what == "tag" && value != "":
			f.Tags = append(f.Tags, value)
		case what == "folder" && value != "":
			folders = append(folders, value)
		case what == "pinned" && isBool(value):
			f.Pinned = ptr(value == "true")
		case what == "archived" && isBool(value):
			f.Archived = ptr(value == "true")
		case what == "shared" && isBool(value):
			f.Shared = ptr(value == "true")
		default:
			words = append(words, word)
		}
	}
	f.Query = strings.Join(words, " ")
	if len(folders) > 0 {
		all, err := s.cfg.Store.FoldersOf(ctx, who.UserID)
		if err != nil {
			return nil, err
		}
		if f.Folders = named(all, folders); len(f.Folders) == 0 {
			return nil, nil
		}
	}
	return s.cfg.Store.ListChats(ctx, f)
}

// named gives the ids of the folders of these names, spelled as tags are.
func named(all []*Folder, names []string) []string {
	var ids []string
	for _, folder := range all {
		for _, name := range names {
			if TagID(folder.Name) == name {
				ids = append(ids, folder.ID)
			}
		}
	}
	return ids
}

func isBool(s string) bool { return s == "true" || s == "false" }

func ptr[T any](v T) *T { return &v }
