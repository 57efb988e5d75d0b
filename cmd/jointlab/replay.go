package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/eventstore"
	"github.com/jointlab/jointlab/projections"
)

const replayHelp = `replay reads the events of one laboratory and folds them here, one after the other:
for each it prints the position in the ledger, when it was recorded, who acted, what
happened, and every place of the laboratory's document that it changed, before and
after. Nothing of the read model is used, so it also shows how a state came about
that seems wrong.

It reads the folder in --data, which no server may have open, or asks a running
server (--server). --as-of ends at a position or at an instant (RFC 3339). --step
waits for Enter before each further event.`

func replayCommand() *cobra.Command {
	var where settings
	var server, token, asOf, id string
	var stepwise bool
	cmd := &cobra.Command{
		Use:   "replay --lab ID",
		Short: "Fold one laboratory step by step · 逐步回放一个实验室的历史",
		Long:  replayHelp,
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			of, err := uuid.Parse(id)
			if err != nil {
				return fmt.Errorf("--lab: %q is no laboratory's id; copy it from GET /v1/labs", id)
			}
			until, err := parseAsOf(asOf)
			if err != nil {
				return err
			}
			from, done, err := clientOf(ctx, where, server, token, domain.Auditor, "replay")
			if err != nil {
				return err
			}
			defer done()
			events, err := from.events(ctx, eventstore.Stream{Kind: "lab", ID: of}, until)
			if err != nil {
				return err
			}
			if len(events) == 0 {
				return fmt.Errorf("nothing was on record of this laboratory at %s", asOf)
			}
			p := replayer{out: cmd.OutOrStdout(), total: len(events)}
			if stepwise {
				p.in = bufio.NewReader(cmd.InOrStdin())
			}
			if err = projections.Replay(events, p.print); errors.Is(err, errEnough) {
				return nil
			}
			return err
		},
	}
	storeFlags(cmd, &where)
	f := cmd.Flags()
	f.StringVar(&id, "lab", "", "id of the laboratory")
	f.StringVar(&server, "server", "", "address of a running server, e.g. http://127.0.0.1:8080")
	f.StringVar(&token, "token", "", "token to read with on that server")
	f.StringVar(&asOf, "as-of", "", "last position, or instant (RFC 3339), to replay; all unless given")
	f.BoolVar(&stepwise, "step", false, "wait for Enter before each further event")
	return cmd
}

// upTo is the position or the instant at which a replay ends.
type upTo struct {
	position eventstore.Position
	instant  time.Time
}

func (u upTo) includes(p eventstore.Position, at time.Time) bool {
	return (u.position == 0 || p <= u.position) && (u.instant.IsZero() || !at.After(u.instant))
}

func parseAsOf(text string) (u upTo, err error) {
	if text == "" {
		return u, nil
	}
	if p, err := strconv.ParseUint(text, 10, 53); err == nil && p > 0 {
		return upTo{position: eventstore.Position(p)}, nil
	}
	if u.instant, err = time.Parse(time.RFC3339, text); err != nil {
		return u, fmt.Errorf("--as-of: %q is neither a position, from 1, nor an instant such as 2024-05-01T12:00:00Z", text)
	}
	return u, nil
}

// events reads the events of a stream byte for byte, in order.
func (c client) events(ctx context.Context, s eventstore.Stream, until upTo) (events []eventstore.Recorded, err error) {
	for cursor := ""; ; {
		var page struct {
			Items []struct {
				Position eventstore.Position `json:"position"`
				ID       uuid.UUID           `json:"id"`
				Time     time.Time           `json:"time"`
			} `json:"items"`
			Next string `json:"next"`
		}
		path := "/v1" + s.Source() + "/history?order=oldest&limit=500"
		if cursor != "" {
			path += "&cursor=" + url.QueryEscape(cursor)
		}
		if err := c.get(ctx, path, &page); err != nil {
			return nil, fmt.Errorf("read the history: %w", err)
		}
		for _, e := range page.Items {
			if !until.includes(e.Position, e.Time) {
				return events, nil
			}
			body, err := c.bytes(ctx, fmt.Sprintf("/v1/events/%d", e.Position))
			if err != nil {
				return nil, fmt.Errorf("read event %d: %w", e.Position, err)
			}
			events = append(events, eventstore.Recorded{Position: e.Position, Stream: s, ID: e.ID, Body: body})
		}
		if cursor = page.Next; cursor == "" {
			return events, nil
		}
	}
}

// bytes returns the bytes of a resource.
func (c client) bytes(ctx context.Context, path string) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, c.base+path, nil)
	if err != nil {
		return nil, err
	}
	var body jsontext.Value
	return body, c.do(r, &body)
}

// errEnough ends a replay whose reader has closed the input.
var errEnough = errors.New("enough")

// replayer prints the steps of a replay.
type replayer struct {
	out   io.Writer
	in    *bufio.Reader // waited for between steps, where there is one
	total int
}

func (p replayer) print(s projections.ReplayStep) error {
	m := s.Meta
	text := s.Event.Sentence()
	as := string(m.Actor.Role)
	if m.Actor.OnBehalfOf != uuid.Nil {
		as += " for " + m.Actor.OnBehalfOf.String()
	}
	fmt.Fprintf(
		p.out, "%d/%d  position %d  %s  %s (%s)\n  %s\n  %s\n", m.Revision+1, p.total, s.Position,
		m.Time.Format(time.RFC3339), m.Actor.Subject, as, text.Chinese(), text.English(),
	)
	if m.Because.Reason != "" {
		fmt.Fprintf(p.out, "  because: %s\n", m.Because.Reason)
	}
	for _, c := range s.Changes {
		switch {
		case c.Before == nil:
			fmt.Fprintf(p.out, "    + %s: %s\n", c.Path, c.After)
		case c.After == nil:
			fmt.Fprintf(p.out, "    - %s: %s\n", c.Path, c.Before)
		default:
			fmt.Fprintf(p.out, "    ~ %s: %s → %s\n", c.Path, c.Before, c.After)
		}
	}
	if p.in == nil || int(m.Revision)+1 == p.total {
		return nil
	}
	fmt.Fprint(p.out, "-- Enter: next · 回车继续 -- ")
	_, err := p.in.ReadString('\n')
	fmt.Fprintln(p.out)
	if errors.Is(err, io.EOF) {
		return errEnough
	}
	return err
}
