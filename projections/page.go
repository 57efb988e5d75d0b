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

// cursor is the place of a row in a list: pages go on after it, whatever was
// inserted meanwhile. It says the order it belongs to.
type cursor struct {
	Order string `json:"o"`
	Text  []byte `json:"t,omitempty"` // the row's sort key, where it is text …
	Num   int64  `json:"k,omitempty"` // … and where it is a number
	N     int64  `json:"n"`           // and what breaks ties
	No    int64  `json:"m,omitempty"`
}

func (c cursor) String() string {
	b, err := json.Marshal(c)
	if err != nil {
		panic(err) // it holds nothing but numbers, text and bytes
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

// collators make keys that sort names as people expect: Chinese by pinyin,
// everything else as in English.
var collators = map[string]*sync.Pool{
	"zh": {New: func() any { return collate.New(language.Chinese) }},
	"en": {New: func() any { return collate.New(language.English) }},
}

// sortKey is a name's place among names in a language. It is never empty.
func sortKey(lang, name string) []byte {
	c := collators[lang].Get().(*collate.Collator)
	defer collators[lang].Put(c)
	var b collate.Buffer
	return slices.Concat(c.KeyFromString(&b, name), []byte{0})
}

// selection builds the conditions of a query. Values are always parameters.
type selection struct {
	at    Moment // resolved
	where []string
	args  []any
}

// selectionAt is a query about a moment, whose tables it reads.
func (m *Model) selectionAt(ctx context.Context, at Moment) (selection, error) {
	at, err := m.Resolve(ctx, at)
	return selection{at: at}, err
}

func (s *selection) and(condition string, args ...any) {
	s.where, s.args = append(s.where, condition), append(s.args, args...)
}

// oneOf restricts expression to some values, if there are any.
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

// text restricts n to what a search finds.
func (s *selection) text(column, typed string) {
	if strings.TrimSpace(typed) == "" {
		return
	}
	m := matchQuery(typed)
	if m == "" {
		s.and("0") // nothing in it could ever be found
		return
	}
	if s.at.IsZero() {
		s.and(column+" IN (SELECT rowid FROM search WHERE search MATCH ?)", m)
	} else {
		s.and(column+" IN (SELECT n FROM words WHERE id IN (SELECT rowid FROM past_search WHERE past_search MATCH ?))",
			m)
	}
}

// timelineAt is the entry of a list of days that holds on a day: what began last.
// See days.
func timelineAt(column string) string {
	return "(SELECT value ->> 1 FROM json_each(" + column + ") WHERE value ->> 0 <= ? ORDER BY key DESC LIMIT 1)"
}

// timeline is what on says from each day on, as JSON: [["","DRAFT"],["2024-05-01","IN_FORCE"]].
// It asks on itself at every day on which the answer may change, so that a
// query for any day gets the domain's own answer.
func timeline[T ~string](changes []domain.Date, on func(domain.Date) T) string {
	changes = append(changes, domain.Date{}.AddDays(1)) // long before any record
	slices.SortFunc(changes, domain.Date.Compare)
	var list strings.Builder
	before := ""
	for _, d := range slices.Compact(changes) {
		if d.IsZero() {
			continue
		}
		says := string(on(d)) // a code: nothing in it is special in JSON
		switch {
		case list.Len() == 0:
			list.WriteString(`[["","` + says)
		case says != before:
			list.WriteString(`"],["` + d.String() + `","` + says)
		}
		before = says
	}
	return list.String() + `"]]`
}

// needsToday reports a query for statuses that does not say on which day.
func needsToday(asked bool, today domain.Date) error {
	if asked && today.IsZero() {
		return &QueryError{"today", domain.T("按状态筛选须给出日期", "to filter by status, say on which day")}
	}
	return nil
}

// readTx runs f on one state of the model: what it reads belongs together.
func (m *Model) readTx(ctx context.Context, f func(querier) error) error {
	tx, err := m.readers.BeginTx(ctx, &sql.TxOptions{ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	return f(tx)
}

// nullable is a date that sorts and compares as text, or NULL.
func nullable(d domain.Date) any {
	if d.IsZero() {
		return nil
	}
	return d.String()
}
