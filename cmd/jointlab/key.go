package main

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/key"
)

func keyCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "key",
		Short: "Service keys, with which systems sign in · 服务密钥",
		Long: `A service key is for a system rather than a person: sent as
Authorization: Bearer jlk_…, it acts in one role and for one legal entity until it
expires or is revoked. Who issued and who revoked it is in the trail; the key
itself is printed once and kept nowhere.

To replace a key, create another of the same --service, give it to the system,
then revoke the first: what the two do is recorded as done by one actor.

With --server and --token it is done on a running server, by whoever the token
speaks for; else in the data folder, which no server may have open, by the
register's keeper.`,
	}
	cmd.AddCommand(keyCreate(), keyList(), keyRevoke())
	return cmd
}

// keyCommandOf returns a command that is sent to a register, as role where that is
// one in a folder.
func keyCommandOf(
	use, short string, role func() domain.Role, act func(context.Context, *cobra.Command, client) error,
) *cobra.Command {
	var where settings
	var server, token string
	cmd := &cobra.Command{
		Use: use, Short: short, Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			at, done, err := clientOf(cmd.Context(), where, server, token, role(), "jointlab key")
			if err != nil {
				return err
			}
			defer done()
			return act(cmd.Context(), cmd, at)
		},
	}
	storeFlags(cmd, &where)
	cmd.Flags().StringVar(&server, "server", "", "address of a running server, e.g. http://127.0.0.1:8080")
	cmd.Flags().StringVar(&token, "token", "", "token, or service key, to act with on that server")
	return cmd
}

func keyCreate() *cobra.Command {
	var name, service, role, entity string
	var days int
	keeper := func() domain.Role {
		if slices.Contains([]domain.Role{domain.Ministry, domain.Agency, domain.Officer}, domain.Role(role)) {
			return domain.Ministry
		}
		return domain.Officer
	}
	cmd := keyCommandOf("create --name WHAT-FOR --service NAME --role ROLE > FILE", "Issue a key and print it, once · 签发密钥", keeper, func(ctx context.Context, cmd *cobra.Command, c client) error {
		issue := key.Issue{
			Name: domain.T("", name), Service: service, Role: domain.Role(role),
			Expires: time.Now().Add(time.Duration(days) * 24 * time.Hour),
		}
		if strings.ContainsFunc(name, func(r rune) bool { return unicode.Is(unicode.Han, r) }) {
			issue.Name = domain.T(name, "")
		}
		if entity != "" {
			var err error
			if issue.Entity, err = uuid.Parse(entity); err != nil {
				return fmt.Errorf("--entity %q is not the id of a legal entity", entity)
			}
		}
		a, err := c.send(ctx, "/v1/keys", "", issue)
		if err != nil {
			return err
		}
		fmt.Fprintf(cmd.ErrOrStderr(), "key %s, until %s; it is not shown again\n", a.ID, issue.Expires.Format(time.DateOnly))
		fmt.Fprintln(cmd.OutOrStdout(), a.Secret)
		return nil
	})
	f := cmd.Flags()
	f.StringVar(&name, "name", "", "what system the key is for")
	f.StringVar(
		&service, "service", "", "the system's short name: a–z, 0–9, . and -; its acts are recorded as by service:NAME",
	)
	f.StringVar(&role, "role", "", fmt.Sprintf("one of %v", domain.Roles))
	f.StringVar(&entity, "entity", "", "id of the legal entity acted for; host, partner and director need one")
	f.IntVar(&days, "days", 90, "how many days the key holds, at most 400")
	for _, required := range []string{"name", "service", "role"} {
		_ = cmd.MarkFlagRequired(required)
	}
	return cmd
}

func keyList() *cobra.Command {
	auditor := func() domain.Role { return domain.Auditor }
	return keyCommandOf("list", "List keys · 列出密钥", auditor, func(ctx context.Context, cmd *cobra.Command, c client) error {
		for cursor := ""; ; {
			var page struct {
				Items []struct {
					ID      string      `json:"id"`
					State   key.State   `json:"state"`
					Role    domain.Role `json:"role"`
					Subject string      `json:"subject"`
					Expires time.Time   `json:"expires"`
					Name    domain.Text `json:"name"`
				} `json:"items"`
				Next string `json:"next"`
			}
			if err := c.get(ctx, "/v1/keys?limit=500"+cursor, &page); err != nil {
				return err
			}
			for _, k := range page.Items {
				fmt.Fprintf(
					cmd.OutOrStdout(), "%s  %-7s  %-9s  until %s  %s  %s\n", k.ID, k.State, k.Role, k.Expires.Format(time.DateOnly),
					k.Subject, k.Name.Chinese(),
				)
			}
			if page.Next == "" {
				return nil
			}
			cursor = "&cursor=" + url.QueryEscape(page.Next)
		}
	})
}

func keyRevoke() *cobra.Command {
	var id, reason string
	officer := func() domain.Role { return domain.Officer }
	cmd := keyCommandOf("revoke --id ID", "Revoke a key, at once on every node · 撤销密钥", officer, func(ctx context.Context, _ *cobra.Command, c client) error {
		if _, err := uuid.Parse(id); err != nil {
			return fmt.Errorf("--id %q is not the id of a key; jointlab key list shows them", id)
		}
		_, err := c.send(ctx, "/v1/keys/"+id+"/revoke", "", key.Revoke{Grounds: domain.Grounds{Reason: reason}})
		return err
	})
	cmd.Flags().StringVar(&id, "id", "", "of the key: the first number in it, or as list shows it")
	cmd.Flags().StringVar(&reason, "reason", "", "why")
	_ = cmd.MarkFlagRequired("id")
	return cmd
}
