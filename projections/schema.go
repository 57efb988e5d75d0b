package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"runtime"
	"strings"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// version is the schema version of a file; a file of another version is rebuilt.
// Raise it with every change of the schema and of what events fold to.
const version = 11

// schema keys all rows by numbers that grow with the ledger, not by random ids: n
// numbers the streams in the order of their first events, so a rebuilt model has
// the same numbers. Besides the documents, rows hold only what lists filter and
// sort by.
var schema = `
CREATE TABLE checkpoint (one INTEGER PRIMARY KEY CHECK (one = 1), position INTEGER NOT NULL, event BLOB NOT NULL, digest BLOB NOT NULL);
INSERT INTO checkpoint VALUES (1, 0, x'', x'');

CREATE TABLE streams (n INTEGER PRIMARY KEY, kind TEXT NOT NULL, id BLOB NOT NULL, events INTEGER NOT NULL,
	created INTEGER NOT NULL, updated INTEGER NOT NULL, positions BLOB NOT NULL);
CREATE TABLE documents (n INTEGER PRIMARY KEY, document BLOB NOT NULL);
CREATE VIRTUAL TABLE search USING fts5 (words, content='', contentless_delete=1, tokenize='unicode61 remove_diacritics 2');

CREATE TABLE labs (n INTEGER PRIMARY KEY, name_zh BLOB NOT NULL, name_en BLOB NOT NULL, status INTEGER NOT NULL, due TEXT,
	host BLOB NOT NULL, level TEXT NOT NULL, programme TEXT NOT NULL, discipline TEXT NOT NULL);
CREATE TABLE parties (lab INTEGER, entity BLOB, bound INTEGER NOT NULL, PRIMARY KEY (lab, entity)) WITHOUT ROWID;
CREATE TABLE agreements (lab INTEGER, no INTEGER, id TEXT NOT NULL, class TEXT NOT NULL, parties TEXT NOT NULL, ends TEXT,
	days TEXT NOT NULL, PRIMARY KEY (lab, no)) WITHOUT ROWID;
CREATE TABLE rights (lab INTEGER, no INTEGER, agreement TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, party BLOB NOT NULL,
	counterparty BLOB, due TEXT, since TEXT NOT NULL, PRIMARY KEY (lab, no)) WITHOUT ROWID;
CREATE TABLE commitments (lab INTEGER, no INTEGER, agreement TEXT NOT NULL, party BLOB NOT NULL, kind TEXT NOT NULL, currency TEXT NOT NULL,
	source TEXT NOT NULL, days TEXT NOT NULL, late TEXT NOT NULL, PRIMARY KEY (lab, no)) WITHOUT ROWID;

CREATE TABLE entities (n INTEGER PRIMARY KEY, name_zh BLOB NOT NULL, name_en BLOB NOT NULL, kind TEXT NOT NULL, country TEXT NOT NULL, days TEXT NOT NULL);
CREATE TABLE programmes (n INTEGER PRIMARY KEY, name_zh BLOB NOT NULL, name_en BLOB NOT NULL);
CREATE TABLE keys (n INTEGER PRIMARY KEY, entity BLOB NOT NULL, role TEXT NOT NULL, expires INTEGER NOT NULL, revoked INTEGER NOT NULL);
CREATE TABLE webhooks (n INTEGER PRIMARY KEY, owner TEXT NOT NULL, role TEXT NOT NULL, behalf BLOB NOT NULL, state TEXT NOT NULL);
CREATE TABLE identifiers (entity INTEGER, scheme TEXT, value TEXT, PRIMARY KEY (entity, scheme, value)) WITHOUT ROWID;

` + versionsSchema() + `
CREATE TABLE types (n INTEGER PRIMARY KEY, name TEXT NOT NULL, about TEXT NOT NULL, policy TEXT NOT NULL);
CREATE TABLE actors (n INTEGER PRIMARY KEY, subject TEXT NOT NULL, role TEXT NOT NULL, behalf BLOB NOT NULL);
CREATE TABLE trail (block INTEGER PRIMARY KEY, records BLOB NOT NULL, names BLOB NOT NULL);
CREATE TABLE clocks (block INTEGER PRIMARY KEY, latest INTEGER NOT NULL); -- of the trail's events up to the block's end, when the last was recorded
CREATE TABLE digests (position INTEGER, digest BLOB, stream INTEGER NOT NULL, reviewer INTEGER NOT NULL, PRIMARY KEY (position, digest)) WITHOUT ROWID;
CREATE TABLE closed (stream INTEGER, position INTEGER, readers INTEGER NOT NULL, documents INTEGER NOT NULL, PRIMARY KEY (stream, position)) WITHOUT ROWID;
CREATE TABLE drafts (lab INTEGER, part TEXT, no INTEGER, PRIMARY KEY (lab, part, no)) WITHOUT ROWID;
CREATE TABLE corrections (position INTEGER PRIMARY KEY, event BLOB NOT NULL, corrects BLOB NOT NULL);
`

// indexes are created after a build has written all rows, which is faster.
var indexes = fmt.Sprintf(`
CREATE UNIQUE INDEX streams_by_id ON streams (id, kind);
CREATE INDEX parties_by_entity ON parties (entity);
CREATE INDEX identifiers_by_value ON identifiers (value, scheme);
CREATE INDEX closed_by_position ON closed (position);
CREATE INDEX digests_by_digest ON digests (digest, position);
CREATE INDEX parties_versions_by_entity ON parties_versions (entity);
CREATE INDEX clocks_by_latest ON clocks (latest);
CREATE INDEX corrections_by_corrected ON corrections (corrects);
PRAGMA user_version = %d;
`, version)

// compared lists the tables on which two models at one position must agree. In
// those with perStream the first column is the number of the stream.
var compared = append([]comparedTable{
	{"checkpoint", false},
	{"streams", true},
	{"documents", true},
	{"labs", true},
	{"parties", true},
	{"agreements", true},
	{"rights", true},
	{"commitments", true},
	{"entities", true},
	{"identifiers", true},
	{"programmes", true},
	{"keys", true},
	{"webhooks", true},
	{"closed", true},
	{"drafts", true},
	{"terms", false}, // the words of the search index with their counts
	{"types", false},
	{"actors", false},
	{"digests", false},
	{"clocks", false},
	{"corrections", false},
	{"past_terms", false},
}, comparedVersions()...)

type comparedTable struct {
	table     string
	perStream bool
}

func comparedVersions() (tables []comparedTable) {
	for _, k := range versioned {
		tables = append(tables, comparedTable{k.versionsTable(), true})
	}
	return tables
}

// connect returns a pool of connections to file with the given pragmas.
func connect(file string, conns int, pragmas ...string) (*sql.DB, error) {
	query := url.Values{"_txlock": {"deferred"}, "_pragma": append([]string{"busy_timeout(10000)", "cache_size(-32768)",
		"temp_store(2)"}, pragmas...)}
	db, err := sql.Open("sqlite", (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: file}).EscapedPath(),
		RawQuery: query.Encode()}).String())
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(conns)
	db.SetMaxIdleConns(conns)
	if err := db.Ping(); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return db, nil
}

func connectWriter(file string) (*sql.DB, error) {
	return connect(file, 1, "journal_mode(WAL)", "synchronous(NORMAL)")
}

func connectReaders(file string) (*sql.DB, error) {
	return connect(file, max(4, runtime.NumCPU()), "query_only(1)")
}

// writer writes rows over one connection, several per statement. One goroutine at
// a time uses it.
type writer struct {
	conn       *sql.Conn
	rows       int // per statement
	tables     map[string]*table
	statements map[string]*sql.Stmt
}

type table struct {
	head  string // INSERT … VALUES
	width int
	args  []any
}

func newWriter(ctx context.Context, db *sql.DB, rows int) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &writer{conn, rows, map[string]*table{}, map[string]*sql.Stmt{}}, nil
}

func (w *writer) close() error {
	var errs []error
	for _, s := range w.statements {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, w.conn.Close())...)
}

// exec executes a statement, which it prepares once.
func (w *writer) exec(ctx context.Context, statement string, args ...any) (sql.Result, error) {
	s, ok := w.statements[statement]
	if !ok {
		var err error
		if s, err = w.conn.PrepareContext(ctx, statement); err != nil {
			return nil, err
		}
		w.statements[statement] = s
	}
	return s.ExecContext(ctx, args...)
}

// rows are rows to be written; each replaces the row with its key.
type rows []struct {
	into   string // a table, with its columns unless these are all
	values []any
}

func (r *rows) add(into string, values ...any) {
	*r = append(*r, struct {
		into   string
		values []any
	}{into, values})
}

// put writes rows as soon as they fill a statement; flush writes the rest.
func (w *writer) put(ctx context.Context, all rows) error {
	for _, row := range all {
		t, ok := w.tables[row.into]
		if !ok {
			t = &table{head: "INSERT OR REPLACE INTO " + row.into + " VALUES ", width: len(row.values)}
			w.tables[row.into] = t
		}
		if t.args = append(t.args, row.values...); len(t.args) >= w.rows*t.width {
			if err := t.flush(ctx, w); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *writer) flush(ctx context.Context) error {
	for _, t := range w.tables {
		if err := t.flush(ctx, w); err != nil {
			return err
		}
	}
	return nil
}

func (t *table) flush(ctx context.Context, w *writer) error {
	row := ",(" + strings.Repeat(",?", t.width)[1:] + ")"
	for args := t.args; len(args) > 0; {
		rows := 1
		if len(args) >= w.rows*t.width {
			rows = w.rows
		}
		if _, err := w.exec(ctx, t.head+strings.Repeat(row, rows)[1:], args[:rows*t.width]...); err != nil {
			return err
		}
		args = args[rows*t.width:]
	}
	clear(t.args) // release the documents
	t.args = t.args[:0]
	return nil
}

// drop discards rows that were put and not written.
func (w *writer) drop() {
	for _, t := range w.tables {
		clear(t.args)
		t.args = t.args[:0]
	}
}
