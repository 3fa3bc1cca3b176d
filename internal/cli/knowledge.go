package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
)

func knowledgeCommand(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "knowledge",
		Short: "List, make and fill collections of files, on a running server",
		Long: "List, make and fill collections of files, on a running server.\n" +
			"PORTICO_URL and PORTICO_KEY say which server to ask and with which key.",
	}
	c.AddCommand(knowledgeListing(env), knowledgeCreate(env), knowledgeAdd(env), knowledgeSync(env))
	return c
}

// collection is one as the server describes it.
type collection struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Files       int    `json:"file_count"`
	UpdatedAt   int64  `json:"updated_at"`
	Writable    bool   `json:"write_access"`
}

const knowledgePath = "/api/v1/knowledge/"

// collections gives all that match, page by page.
func (r *remote) collections(ctx context.Context, query string) ([]collection, error) {
	all := []collection{}
	for page := 1; ; page++ {
		var answer struct {
			Items []collection `json:"items"`
			Total int          `json:"total"`
		}
		path := knowledgePath + "search?" + url.Values{"query": {query}, "page": {strconv.Itoa(page)}, "order_by": {"name"}, "direction": {"asc"}}.Encode()
		if err := r.call(ctx, http.MethodGet, path, nil, &answer); err != nil {
			return nil, err
		}
		all = append(all, answer.Items...)
		if len(answer.Items) == 0 || len(all) >= answer.Total {
			return all, nil
		}
	}
}

// collection finds one by its id or its name.
func (r *remote) collection(ctx context.Context, name string) (*collection, error) {
	c := new(collection)
	err := r.call(ctx, http.MethodGet, knowledgePath+url.PathEscape(name), nil, c)
	if err == nil || !statusIs(err, http.StatusNotFound, http.StatusUnauthorized) {
		return c, err
	}
	found, err := r.collections(ctx, name)
	if err != nil {
		return nil, err
	}
	var named []collection
	for _, c := range found {
		if c.Name == name {
			named = append(named, c)
		}
	}
	switch len(named) {
	case 0:
		return nil, fmt.Errorf("there is no collection %q that you may use; make it with portico knowledge create", name)
	case 1:
		return &named[0], nil
	}
	return nil, fmt.Errorf("%d collections have the name %q: give the id of one, from portico knowledge list", len(named), name)
}

func (r *remote) create(ctx context.Context, name, description string) (*collection, error) {
	c := new(collection)
	return c, r.call(ctx, http.MethodPost, knowledgePath+"create", map[string]string{"name": name, "description": description}, c)
}

func knowledgeListing(env *Env) *cobra.Command {
	return onRemote(env, &cobra.Command{
		Use: "list", Short: "List the collections that the key may use", Example: "  portico knowledge list --json",
	}, func(cmd *cobra.Command, r *remote, _ []string) error {
		all, err := r.collections(cmd.Context(), "")
		if err != nil {
			return err
		}
		return show(cmd, all, func(w io.Writer) {
			t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
			_, _ = fmt.Fprintln(t, "NAME\tFILES\tCHANGED\tID")
			for _, c := range all {
				_, _ = fmt.Fprintf(t, "%s\t%d\t%s\t%s\n", c.Name, c.Files, time.Unix(c.UpdatedAt, 0).UTC().Format(time.DateOnly), c.ID)
			}
			_ = t.Flush()
		})
	})
}

func knowledgeCreate(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "create NAME", Short: "Make a collection and print its id", Args: cobra.ExactArgs(1),
		Example: `  portico knowledge create "Handbooks" --description "All handbooks of the house"`,
	}
	description := c.Flags().String("description", "", "what is in it")
	return onRemote(env, c, func(cmd *cobra.Command, r *remote, args []string) error {
		made, err := r.create(cmd.Context(), args[0], *description)
		if err != nil {
			return err
		}
		return show(cmd, made, func(w io.Writer) { _, _ = fmt.Fprintln(w, made.ID) })
	})
}

func knowledgeAdd(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "add COLLECTION FILE...", Short: "Upload files and put them into a collection", Args: cobra.MinimumNArgs(2),
		Example: "  portico knowledge add Handbooks guide.pdf notes.md",
	}
	return onRemote(env, c, func(cmd *cobra.Command, r *remote, args []string) error {
		k, err := r.collection(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		results := []outcome{}
		failed := 0
		for _, name := range args[1:] {
			o := outcome{Path: name}
			if o.FileID, err = r.add(cmd.Context(), k.ID, name); err != nil {
				o.Error = sentence(err)
				failed++
			}
			results = append(results, o)
			if cmd.Context().Err() != nil {
				return cmd.Context().Err()
			}
		}
		err = show(cmd, results, func(w io.Writer) {
			for _, o := range results {
				if o.Error == "" {
					_, _ = fmt.Fprintf(w, "added %s\n", o.Path)
				} else {
					_, _ = fmt.Fprintf(w, "FAILED %s: %s\n", o.Path, o.Error)
				}
			}
		})
		if err == nil && failed > 0 {
			err = fmt.Errorf("%d of %d files could not be added", failed, len(results))
		}
		return err
	})
}

// outcome is what became of one file.
type outcome struct {
	Path   string `json:"path"`
	FileID string `json:"file_id,omitempty"`
	Error  string `json:"error,omitempty"`
}

// add uploads a file and puts it in. A file that is refused is deleted again.
func (r *remote) add(ctx context.Context, id, name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", errors.Unwrap(err)
	}
	defer f.Close()
	up, err := r.upload(ctx, filepath.Base(name), f, struct{}{})
	if err != nil {
		return "", err
	}
	if _, err := r.follow(ctx, up.ID, func(stage) {}); err != nil {
		return "", errors.Join(err, r.drop(ctx, up.ID))
	}
	if err := r.call(ctx, http.MethodPost, knowledgePath+url.PathEscape(id)+"/file/add", map[string]string{"file_id": up.ID}, new(collection)); err != nil {
		return "", errors.Join(err, r.drop(ctx, up.ID))
	}
	return up.ID, nil
}

// drop deletes a file, if it is still there.
func (r *remote) drop(ctx context.Context, fileID string) error {
	var answer any
	err := r.call(ctx, http.MethodDelete, "/api/v1/files/"+url.PathEscape(fileID), nil, &answer)
	if statusIs(err, http.StatusNotFound) {
		return nil
	}
	return err
}
