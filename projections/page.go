package projections

import (
	"context"
	"database/sql"
	"encoding/base64"
	"slices"
	"strings"
	"sync"

	"github.com/go-json-experiment/json"
	"golang.org/x/text/collate"
	"golang.org/x/text/language"

	"github.com/jointlab/jointlab/domain"
)

const (
	defaultLimit = 50
	maxLimit     = 500
)

func (p Paging) limit() (int, error) {
	switch {
	case p.Limit == 0:
		return defaultLimit, nil
	case p.Limit < 0 || p.Limit > maxLimit:
		return 0, &QueryError{"limit", domain.Textf("每页条数应为 1 至 %d", "the limit is between 1 and %d", maxLimit)}
	}
	return p.Limit, nil
}

// cursor is the sort key of a row: the next page begins after it, whatever was
// inserted meanwhile. It is valid for one order.
type cursor struct {
	Order string `json:"o"`
	Text  []byte `json:"t,omitempty"` // the row's sort key, if it is text …
	Num   int64  `json:"k,omitempty"` // … or a number
	N     int64  `json:"n"`           // the number of the row, which breaks ties
	No    int64  `json:"m,omitempty"`
}

func (c cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // numbers, text and bytes always encode
	}
	return base64.RawURLEncoding.EncodeToString(b)
}

func parseCursor(s, order string) (cursor, error) {
	b, err := base64.RawURLEncoding.DecodeString(s)
	var c cursor
	if err == nil {
		err = json.Unmarshal(b, &c, json.RejectUnknownMembers(true))
	}
	if err != nil || c.Order != order {
		return c, &QueryError{"cursor", domain.T("分页游标无效，或属于另一种排序；请从第一页重新开始", "the cursor is broken or belongs to another order; start again at the first page")}
	}
	return c, nil
}

// collators hold the collators of names: Chinese by pinyin, all else by the rules
// of English.
var collators = map[string]*sync.Pool{
	"zh": {New: func() any { return collate.New(language.Chinese) }},
	"en": {New: func() any { return collate.New(language.English) }},
}

// sortKey returns the collation key of a name in a language. It is never empty.
func sortKey(lang, name string) []byte {
	c := collators[lang].Get().(*collate.Collator)
	defer collators[lang].Put(c)
	var b collate.Buffer
	return slices.Concat(c.KeyFromString(&b, name), []byte{0})
}

// selection builds the WHERE clause of a query. Values are always parameters.
type selection struct {
	at    Moment // resolved
	where []string
	args  []any
}

// selectionAt returns an empty selection for the tables at a moment.
func (m *Model) selectionAt(ctx context.Context, at Moment) (selection, error) {
	at, err := m.Resolve(ctx, at)
	return selection{at: at}, err
}

func (s *selection) and(condition string, args ...any) {
	s.where, s.args = append(s.where, condition), append(s.args, args...)
}

// oneOf restricts expression to values; no values restrict nothing.
func oneOf[T ~string](s *selection, expression string, values []T, args ...any) {
	if len(values) == 0 {
		return
	}
	for _, v := range values {
		args = append(args, string(v))
	}
	s.and(expression+" IN (?"+strings.Repeat(",?", len(values)-1)+")", args...)
}

func (s *selection) String() string {
	if len(s.where) == 0 {
		return ""
	}
	return " WHERE " + strings.Join(s.where, " AND ")
}

// text restricts a column of stream numbers to what a search finds.
func (s *selection) text(column, typed string) {
	if strings.TrimSpace(typed) == "" {
		return
	}
	m := matchQuery(typed)
	if m == "" {
		s.and("0") // it has no searchable words
		return
	}
	if s.at.IsZero() {
		s.and(column+" IN (SELECT rowid FROM search WHERE search MATCH ?)", m)
	} else {
		s.and(column+" IN (SELECT n FROM words WHERE id IN (SELECT rowid FROM past_search WHERE past_search MATCH ?))",
			m)
	}
}

// timelineAt returns an SQL expression for the value that a timeline has on a day,
// which is its only parameter.
func timelineAt(column string) string {
	return "(SELECT value ->> 1 FROM json_each(" + column + ") WHERE value ->> 0 <= ? ORDER BY key DESC LIMIT 1)"
}

// timeline returns the values of on over all days as JSON, each from the day on
// which it begins: [["","DRAFT"],["2024-05-01","IN_FORCE"]]. Changes must hold
// every day on which the value may change. So a query for any day gets the
// domain's own answer.
func timeline[T ~string](changes []domain.Date, on func(domain.Date) T) string {
	changes = append(changes, domain.Date{}.AddDays(1)) // long before any record
	slices.SortFunc(changes, domain.Date.Compare)
	var list strings.Builder
	before := ""
	for _, d := range slices.Compact(changes) {
		if d.IsZero() {
			continue
		}
		value := string(on(d)) // a code, which needs no escape in JSON
		switch {
		case list.Len() == 0:
			list.WriteString(`[["","` + value)
		case value != before:
			list.WriteString(`"],["` + d.String() + `","` + value)
		}
		before = value
	}
	return list.String() + `"]]`
}

// needsToday returns a *QueryError for a query by status without a day.
func needsToday(asked bool, today domain.Date) error {
	if asked && today.IsZero() {
		return &QueryError{"today", domain.T("按状态筛选须给出日期", "to filter by status, say on which day")}
	}
	return nil
}

// readTx runs f in a read transaction, so that all its reads see one position.
func (m *Model) readTx(ctx context.Context, f func(querier) error) error {
	tx, err := m.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return f(tx)
}

// nullable returns a date as text, which sorts by day, or NULL for the zero Date.
func nullable(d domain.Date) any {
	if d.IsZero() {
		return nil
	}
	return d.String()
}
