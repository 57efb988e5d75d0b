package projections

import (
	"bytes"
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jointlab/jointlab/eventstore"
)

// Verify folds the ledger up to the model's position into a temporary file and
// returns every row in which the model differs: documents, rows derived from them,
// and the trail. The model may follow the ledger meanwhile.
func Verify(ctx context.Context, ledger eventstore.Ledger, store eventstore.Store, m *Model) (r Report, err error) {
	start := time.Now()
	dir, err := os.MkdirTemp("", "jointlab-verify-")
	if err != nil {
		return r, fmt.Errorf("projections: verify: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	old, err := openSnapshot(ctx, m.file)
	if err != nil {
		return r, fmt.Errorf("projections: verify: %w", err)
	}
	defer func() { err = errors.Join(err, old.close()) }()
	file := filepath.Join(dir, "model.db")
	if r.Aggregates, err = build(ctx, file, ledger, store, old.position, nil); err != nil {
		return r, err
	}
	made, err := openSnapshot(ctx, file)
	if err != nil {
		return r, fmt.Errorf("projections: verify: %w", err)
	}
	defer func() { err = errors.Join(err, made.close()) }()
	if r.Differences, err = compare(ctx, made, old); err != nil {
		return r, fmt.Errorf("projections: verify: %w", err)
	}
	r.Position, r.Compared, r.ComparedAt, r.Took = old.position, true, old.position, time.Since(start)
	return r, nil
}

// snapshot is a file in a read transaction, which later writes do not change.
type snapshot struct {
	db       *sql.DB
	conn     *sql.Conn
	position eventstore.Position
}

func openSnapshot(ctx context.Context, file string) (*snapshot, error) {
	db, err := connect(file, 1)
	if err != nil {
		return nil, err
	}
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	s := &snapshot{db: db, conn: conn}
	if _, err = conn.ExecContext(ctx, `CREATE VIRTUAL TABLE temp.terms USING fts5vocab(main, search, row);
		CREATE VIRTUAL TABLE temp.past_terms USING fts5vocab(main, past_search, row); BEGIN`); err == nil {
		err = conn.QueryRowContext(ctx, `SELECT position FROM checkpoint`).Scan(&s.position)
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *snapshot) close() error { return errors.Join(s.conn.Close(), s.db.Close()) }

func compareFiles(ctx context.Context, made, old string) (differences []Difference, err error) {
	a, err := openSnapshot(ctx, made)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, a.close()) }()
	b, err := openSnapshot(ctx, old)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	return compare(ctx, a, b)
}

// compare returns the rows in which the old file differs from the one just made.
func compare(ctx context.Context, made, old *snapshot) ([]Difference, error) {
	var found []Difference
	for _, t := range compared {
		err := diff(ctx, made, old, t.table, func(is string, key, want, have []any) error {
			d := Difference{What: t.table, Is: is}
			if t.perStream {
				s := made
				if is == extra {
					s = old
				}
				err := s.conn.QueryRowContext(ctx, `SELECT kind, id FROM streams WHERE n = ?`,
					key[0]).Scan(&d.Stream.Kind, &d.Stream.ID)
				if err != nil && !errors.Is(err, sql.ErrNoRows) {
					return err
				}
			}
			if last := len(found) - 1; last < 0 || found[last] != d {
				found = append(found, d)
			}
			return nil
		})
		if err != nil {
			return nil, fmt.Errorf("compare %s: %w", t.table, err)
		}
	}
	err := diff(ctx, made, old, "trail", func(_ string, key, want, have []any) error {
		found = append(found, trailDifferences(key[0].(int64), splitBlock(want), splitBlock(have))...)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("compare trail: %w", err)
	}
	return found, nil
}

// splitBlock returns, for each event of a trail row, its record and its names.
func splitBlock(row []any) (events []string) {
	if row == nil {
		return nil
	}
	records, names := row[1].([]byte), row[2].([]byte)
	for at := range (len(records) + recordBytes - 1) / recordBytes {
		event := append([]byte(nil), records[at*recordBytes:min((at+1)*recordBytes, len(records))]...)
		for ; len(names) > 0 && int(names[0]) <= at; names = names[min(nameBytes, len(names)):] {
			event = append(event, names[:min(nameBytes, len(names))]...)
		}
		events = append(events, string(event))
	}
	if len(names) > 0 && len(events) > 0 { // of missing records
		events[len(events)-1] += string(names)
	}
	return events
}

// trailDifferences returns the events of a block that differ.
func trailDifferences(block int64, want, have []string) (found []Difference) {
	for at := range max(len(want), len(have)) {
		d := Difference{What: "trail", Position: eventstore.Position(block*blockEvents + int64(at) + 1), Is: different}
		switch {
		case at >= len(have):
			d.Is = missing
		case at >= len(want):
			d.Is = extra
		case want[at] == have[at]:
			continue
		}
		found = append(found, d)
	}
	return found
}

// Values of Difference.Is: the row of the old file.
const (
	missing   = "missing"
	extra     = "extra"
	different = "different"
)

// diff merges a table of both files in key order and reports rows that differ.
func diff(ctx context.Context, made, old *snapshot, table string,
	report func(is string, key, want, have []any) error) error {
	a, err := walk(ctx, made, table)
	if err != nil {
		return err
	}
	defer a.close()
	b, err := walk(ctx, old, table)
	if err != nil {
		return err
	}
	defer b.close()
	for {
		var order int
		switch {
		case a.row == nil && b.row == nil:
			return errors.Join(a.err, b.err)
		case a.row == nil:
			order = 1
		case b.row == nil:
			order = -1
		default:
			order = compareRows(a.row[:a.keys], b.row[:b.keys])
		}
		if a.err != nil || b.err != nil {
			return errors.Join(a.err, b.err)
		}
		switch {
		case order < 0:
			err = report(missing, a.row[:a.keys], a.row, nil)
			a.next()
		case order > 0:
			err = report(extra, b.row[:b.keys], nil, b.row)
			b.next()
		default:
			if compareRows(a.row, b.row) != 0 {
				err = report(different, a.row[:a.keys], a.row, b.row)
			}
			a.next()
			b.next()
		}
		if err != nil {
			return err
		}
	}
}

// walker iterates over a table's rows.
type walker struct {
	rows *sql.Rows
	keys int // number of key columns, which come first
	row  []any
	err  error
}

func walk(ctx context.Context, s *snapshot, table string) (*walker, error) {
	w := &walker{}
	var columns []string
	if err := each(ctx, s.conn, func(rows *sql.Rows) error {
		var name string
		var key int
		err := rows.Scan(&name, &key)
		if columns = append(columns, name); key > 0 {
			w.keys++
		}
		return err
	}, `SELECT name, pk FROM pragma_table_info(?) ORDER BY pk = 0, pk, cid`, table); err != nil {
		return nil, err
	}
	w.keys = max(w.keys, 1)
	all := strings.Join(columns, ", ")
	var err error
	if w.rows, err = s.conn.QueryContext(ctx, "SELECT "+all+" FROM "+table+" ORDER BY "+
		strings.Join(columns[:w.keys], ", ")); err != nil {
		return nil, err
	}
	w.row = make([]any, len(columns))
	w.next()
	return w, nil
}

func (w *walker) close() { w.rows.Close() }

// next advances to the next row; row is nil at the end and after an error.
func (w *walker) next() {
	if !w.rows.Next() {
		w.row, w.err = nil, w.rows.Err()
		return
	}
	into := make([]any, len(w.row))
	w.row = make([]any, len(into))
	for i := range into {
		into[i] = &w.row[i]
	}
	if err := w.rows.Scan(into...); err != nil {
		w.row, w.err = nil, err
	}
}

// compareRows orders rows as SQLite does: NULL, numbers, text, bytes.
func compareRows(a, b []any) int {
	for i := range a {
		if c := compareValues(a[i], b[i]); c != 0 {
			return c
		}
	}
	return 0
}

func compareValues(a, b any) int {
	rank := func(v any) int {
		switch v.(type) {
		case nil:
			return 0
		case int64, float64, bool:
			return 1
		case string:
			return 2
		}
		return 3
	}
	if c := cmp.Compare(rank(a), rank(b)); c != 0 {
		return c
	}
	switch a := a.(type) {
	case nil:
		return 0
	case int64:
		if b, ok := b.(int64); ok {
			return cmp.Compare(a, b)
		}
	case string:
		return strings.Compare(a, b.(string))
	case []byte:
		return bytes.Compare(a, b.([]byte))
	}
	return strings.Compare(fmt.Sprint(a), fmt.Sprint(b))
}
