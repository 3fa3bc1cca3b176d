package cli

import (
	"context"
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"portico/internal/auth"
	"portico/internal/server"
	"portico/internal/user"
)

// rooms opens the database for one verb and closes it after.
func rooms(env *Env, run func(cmd *cobra.Command, r *server.Rooms, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		cfg, err := load(cmd, env)
		if err != nil {
			return err
		}
		r, err := server.Open(cmd.Context(), cfg)
		if err != nil {
			return err
		}
		defer r.Close()
		return run(cmd, r, args)
	}
}

func userCommand(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use:   "user",
		Short: "List, add and change people",
		Long:  "List, add and change people, in the database itself. A running server knows of it within a second.",
	}
	c.AddCommand(userList(env), userAdd(env), userPasswd(env), userRole(env), userDelete(env))
	return c
}

func userList(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "list", Short: "List everybody", Example: "  portico user list --json",
		RunE: rooms(env, func(cmd *cobra.Command, r *server.Rooms, _ []string) error {
			all := []*user.User{}
			for {
				page, total, err := r.DB.Users(cmd.Context(), user.Filter{OrderBy: "email", Offset: len(all), Limit: 500})
				if err != nil {
					return err
				}
				all = append(all, page...)
				if len(page) == 0 || len(all) >= total {
					break
				}
			}
			return show(cmd, all, func(w io.Writer) {
				t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
				_, _ = fmt.Fprintln(t, "EMAIL\tNAME\tROLE\tID")
				for _, u := range all {
					_, _ = fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", u.Email, u.Name, u.Role, u.ID)
				}
				_ = t.Flush()
			})
		}),
	}
}

func userAdd(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "add EMAIL", Short: "Add a person", Args: cobra.ExactArgs(1),
		Example: "  portico user add ana@example.com --name Ana --role admin\n  pwgen 20 1 | portico user add bot@example.com --password-stdin",
	}
	name := c.Flags().String("name", "", "name; the e-mail address when empty")
	role := c.Flags().String("role", "user", "admin, user or pending")
	stdin := c.Flags().Bool("password-stdin", false, "read the password from stdin")
	c.RunE = rooms(env, func(cmd *cobra.Command, r *server.Rooms, args []string) error {
		password, err := askPassword(env, *stdin)
		if err != nil {
			return err
		}
		n := auth.NewUser{Email: args[0], Name: *name, Password: password, Role: user.Role(*role)}
		if n.Name == "" {
			n.Name = n.Email
		}
		if err := add(cmd.Context(), r, n); err != nil {
			return err
		}
		u, err := r.DB.UserByEmail(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return show(cmd, u, func(w io.Writer) { _, _ = fmt.Fprintf(w, "Added %s as %s.\n", u.Email, u.Role) })
	})
	return c
}

// add makes the first administrator in the way that closes sign-up, and
// everybody else in the usual one.
func add(ctx context.Context, r *server.Rooms, n auth.NewUser) error {
	if n.Role == user.Admin {
		if made, err := r.Auth.CreateAdmin(ctx, n); made || err != nil {
			return err
		}
	}
	_, err := r.Auth.Add(ctx, n)
	return err
}

func userPasswd(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "passwd EMAIL", Short: "Set a new password, which ends all sessions of the person", Args: cobra.ExactArgs(1),
		Example: "  portico user passwd ana@example.com",
	}
	stdin := c.Flags().Bool("password-stdin", false, "read the password from stdin")
	c.RunE = rooms(env, func(cmd *cobra.Command, r *server.Rooms, args []string) error {
		u, err := r.DB.UserByEmail(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		password, err := askPassword(env, *stdin)
		if err != nil {
			return err
		}
		if err := r.Auth.SetPassword(cmd.Context(), u.ID, password); err != nil {
			return err
		}
		return show(cmd, map[string]bool{"ok": true}, func(w io.Writer) { _, _ = fmt.Fprintln(w, "The password is set.") })
	})
	return c
}

func userRole(env *Env) *cobra.Command {
	return &cobra.Command{
		Use: "role EMAIL ROLE", Short: "Set a role: admin, user or pending", Args: cobra.ExactArgs(2),
		Example: "  portico user role bia@example.com user",
		RunE: rooms(env, func(cmd *cobra.Command, r *server.Rooms, args []string) error {
			role := user.Role(args[1])
			if !role.Valid() {
				return wrong{fmt.Errorf("there is no role %q: it is admin, user or pending", role)}
			}
			u, err := r.DB.UserByEmail(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if u, err = r.Auth.Change(cmd.Context(), u.ID, user.Change{Role: &role}); err != nil {
				return err
			}
			return show(cmd, u, func(w io.Writer) { _, _ = fmt.Fprintf(w, "%s is now %s.\n", u.Email, u.Role) })
		}),
	}
}

func userDelete(env *Env) *cobra.Command {
	c := &cobra.Command{
		Use: "delete EMAIL", Short: "Delete a person with their keys and chats", Args: cobra.ExactArgs(1),
		Example: "  portico user delete bia@example.com --yes",
	}
	yes := c.Flags().Bool("yes", false, "do not ask")
	c.RunE = rooms(env, func(cmd *cobra.Command, r *server.Rooms, args []string) error {
		u, err := r.DB.UserByEmail(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		if err := confirm(env, *yes, "Delete "+u.Email+" with all keys and chats?"); err != nil {
			return err
		}
		if err := r.Auth.Delete(cmd.Context(), u.ID); err != nil {
			return err
		}
		return show(cmd, map[string]bool{"ok": true}, func(w io.Writer) { _, _ = fmt.Fprintf(w, "Deleted %s.\n", u.Email) })
	})
	return c
}
