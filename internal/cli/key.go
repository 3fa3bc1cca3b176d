package cli

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"portico/internal/auth"
	"portico/internal/server"
)

func keyCommand(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "key",
		Short: "List, create and revoke API keys",
		Long:  "List, create and revoke API keys, in the database itself. A running server knows of it within a second.",
	}
	c.AddCommand(keyList(env), keyCreate(env), keyRevoke(env))
	return c
}

// keyView is a key as it is shown: never the key itself.
type keyView struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	Key       string   `json:"key"`
	Models    []string `json:"models"`
	Routes    []string `json:"routes"`
	ExpiresAt int64    `json:"expires_at"`
	LastUsed  int64    `json:"last_used_at"`
	CreatedAt int64    `json:"created_at"`
}

func viewOf(k *auth.Key) keyView {
	return keyView{k.ID, k.Name, k.Prefix + "…" + k.Last4, append([]string{}, k.Models...), append([]string{}, k.Routes...),
		k.ExpiresAt, k.LastUsed, k.CreatedAt}
}

func keyList(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "list EMAIL", Short: "List the keys of a person", Args: cobra.ExactArgs(1), Example: "  portico key list ana@example.com",
		RunE: rooms(env, func(cmd *cobra.Command, r *server.Rooms, args []string) error {
			u, err := r.DB.UserByEmail(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			keys, err := r.Auth.Keys(cmd.Context(), u.ID)
			if err != nil {
				return err
			}
			views := []keyView{}
			for _, k := range keys {
				views = append(views, viewOf(k))
			}
			return show(cmd, views, func(w io.Writer) {
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				_, _ = fmt.Fprintln(t, "NAME\tKEY\tEXPIRES\tLAST USED\tID")
				for _, v := range views {
					_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", v.Name, v.Key, day(v.ExpiresAt), day(v.LastUsed), v.ID)
				}
				_ = t.Flush()
			})
		}),
	}
}

func day(at int64) string {
	if at == 0 {
		return "never"
	}
	return time.Unix(at, 0).UTC().Format(time.DateOnly)
}

func keyCreate(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "create EMAIL", Short: "Create a key and print it: it is not shown again", Args: cobra.ExactArgs(1),
		Example: "  portico key create ana@example.com --name laptop --expires 720h\n  portico key create bot@example.com --model llama3.2:latest --route /api/chat",
	}
	var spec auth.KeySpec
	c.Flags().StringVar(&spec.Name, "name", "default", "name of the key")
	c.Flags().StringSliceVar(&spec.Models, "model", nil, "model that it may use; all when none is given")
	c.Flags().StringSliceVar(&spec.Routes, "route", nil, "path below which it may call; all when none is given")
	expires := c.Flags().Duration("expires", 0, "life, such as 720h; 0 is for ever")
	replace := c.Flags().Bool("replace", false, "replace the key of that name")
	c.RunE = rooms(env, func(cmd *cobra.Command, r *server.Rooms, args []string) error {
		u, err := r.DB.UserByEmail(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if *expires > 0 {
			spec.ExpiresAt = time.Now().Add(*expires).Unix()
		}
		k, secret, err := r.Auth.CreateKey(cmd.Context(), u.ID, spec, *replace)
		if err != nil {
			return err
		}
		v := viewOf(k)
		v.Key = secret
		return show(cmd, v, func(w io.Writer) { _, _ = fmt.Fprintln(w, secret) })
	})
	return c
}

func keyRevoke(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "revoke EMAIL NAME", Short: "End a key", Args: cobra.ExactArgs(2), Example: "  portico key revoke ana@example.com laptop",
		RunE: rooms(env, func(cmd *cobra.Command, r *server.Rooms, args []string) error {
			u, err := r.DB.UserByEmail(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			k, err := r.Auth.KeyNamed(cmd.Context(), u.ID, args[1])
			if err != nil {
				return err
			}
			if err := r.Auth.DeleteKey(cmd.Context(), u.ID, k.ID); err != nil {
				return err
			}
			return show(cmd, map[string]bool{"ok": true}, func(w io.Writer) { _, _ = fmt.Fprintln(w, "The key is revoked.") })
		}),
	}
}
