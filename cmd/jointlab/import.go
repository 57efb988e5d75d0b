package main

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/csv"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
)

const importHelp = `import reads CSV files (UTF-8, first line the column names) of organisations and
of laboratories, and sends what they say to the register as commands. A file is
known by its columns. Importing again changes nothing; importing a longer
version of a file adds what is new. What a cell does not say is left unsaid.
Every event names the file and line it comes from as its basis.

Organisations (a file with the column country):
  name_en, name_zh  names; at least one is needed
  other_names       further names and spellings, with ; between
  country           ISO 3166-1 alpha-2, needed
  kind              university, research-institute, company, government, other
  established       YYYY, YYYY-MM or YYYY-MM-DD
  status            active, or anything else: kept as a remark in the report
  ror_id uscc lei isni grid wikidata fundref    identifiers
Laboratories (a file with the column host):
  name_zh, name_en  names; at least one is needed. (ABC) at the end is an acronym
  name_zh_basis     source, or UNVERIFIED
  host              the host's name, needed: any name it is registered under, or
                    its Chinese and English names with a space between
  foreign_partners  names with ; between; a remark in brackets is not a name
  level             ministry, province or university
  decided           the date of the decision, as far as known
  period            construction period, e.g. 2016-01/2018-12 or 2019/2022
  status            established, incubating …, or acceptance review passed DATE
  document          number of the document (文号)
  note              anything else, kept in the source's words
Other columns are refused. Dates are YYYY, YYYY-MM or YYYY-MM-DD.

Without --server the files go into the data folder directly, which no server may
have open then. With --server URL they go to a running server; --token gives the
token to act with there (see jointlab token create).`

func importCommand() *cobra.Command {
	where := settings{makes: true}
	var server, token string
	var quiet bool
	cmd := &cobra.Command{
		Use:   "import FILE…",
		Short: "Read organisations and laboratories from CSV files · 从 CSV 文件导入法人与实验室",
		Long:  importHelp,
		Args:  cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			ctx := cmd.Context()
			to, done, err := clientOf(ctx, where, server, token, domain.Officer, "import")
			if err != nil {
				return err
			}
			defer done()
			im := importer{to: to, out: cmd.OutOrStdout(), progress: newProgress(cmd.ErrOrStderr()), quiet: quiet}
			return im.run(ctx, files)
		},
	}
	storeFlags(cmd, &where)
	cmd.Flags().StringVar(&server, "server", "", "address of a running server, e.g. http://127.0.0.1:8080")
	cmd.Flags().StringVar(&token, "token", "", "token to act with on that server")
	cmd.Flags().BoolVar(&quiet, "quiet", false, "report only rows with something to say about them")
	return cmd
}

// sources is the name space of the ids that imported rows get, so that the
// same row always means the same aggregate.
var sources = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://jointlab.org/import"))

type importer struct {
	to       client
	out      io.Writer
	progress *progress
	quiet    bool

	names       entity.Matcher
	identifiers map[domain.Identifier]uuid.UUID
	failed      int // rows of which nothing was loaded
}

// row is one line of a file, with the outcome of loading it.
type row struct {
	file    string
	digest  string // of the whole file
	line    int
	header  []string
	fields  []string
	sent    int // commands that changed something
	remarks []string
	bad     bool // a value cannot be read, so nothing of the row is loaded
}

// get returns a column's value, "" where the file has no such column.
func (r *row) get(column string) string {
	if i := slices.Index(r.header, column); i >= 0 {
		return strings.TrimSpace(r.fields[i])
	}
	return ""
}

func (r *row) remark(column, format string, args ...any) {
	where := column
	if i := slices.Index(r.header, column); i >= 0 {
		where = fmt.Sprintf("column %d, %s", i+1, column)
	}
	r.remarks = append(r.remarks, where+": "+fmt.Sprintf(format, args...))
}

func (r *row) fail(column string, err error) {
	r.remark(column, "%v", err)
	r.bad = true
}

// because returns the row as the basis of its commands.
func (r *row) because() domain.Grounds {
	return domain.Grounds{Reason: "imported", Basis: domain.Basis{
		Document: r.get("document"), Source: fmt.Sprintf("%s line %d, sha256:%s", r.file, r.line, r.digest),
	}}
}

func (im *importer) run(ctx context.Context, files []string) error {
	if err := im.readRegister(ctx); err != nil {
		return fmt.Errorf("read the register: %w", err)
	}
	var unread []error
	for _, f := range files {
		if err := im.file(ctx, f); err != nil {
			if ctx.Err() != nil {
				return err
			}
			unread = append(unread, err)
		}
	}
	if im.failed > 0 {
		unread = append(unread, fmt.Errorf(
			"rows that could not be loaded: %d; mend them and import again, what is there already stays as it is", im.failed,
		))
	}
	return errors.Join(unread...)
}

// readRegister loads the names and identifiers of all entities.
func (im *importer) readRegister(ctx context.Context) error {
	im.identifiers = map[domain.Identifier]uuid.UUID{}
	next := ""
	for {
		var page struct {
			Items []struct {
				ID uuid.UUID `json:"id"`
			} `json:"items"`
			Next string `json:"next"`
		}
		if err := im.to.get(ctx, "/v1/entities?limit=500"+next, &page); err != nil {
			return err
		}
		for _, item := range page.Items {
			var e entity.Entity
			if _, err := im.read(ctx, "/v1/entities/"+item.ID.String(), &e); err != nil {
				return err
			}
			im.names.Add(e.ID, e.Country, e.AllNames()...)
			for _, id := range e.Identifiers {
				im.identifiers[id.Identifier] = e.ID
			}
		}
		if page.Next == "" {
			return nil
		}
		next = "&cursor=" + page.Next
	}
}

// file imports one file. A row that cannot be loaded does not end it.
func (im *importer) file(ctx context.Context, path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !utf8.Valid(text) {
		return fmt.Errorf("%s is not UTF-8; save it as CSV UTF-8", path)
	}
	sum := sha256.Sum256(text)
	lines := strings.Count(string(text), "\n")
	in := csv.NewReader(bufio.NewReader(strings.NewReader(strings.TrimPrefix(string(text), "\ufeff"))))
	header, err := in.Read()
	if err != nil {
		return fmt.Errorf("%s: no column names in its first line: %w", path, err)
	}
	load, err := im.reader(header)
	if err != nil {
		return fmt.Errorf("%s:1: %w", path, err)
	}
	count := map[string]int{}
	for ctx.Err() == nil {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		var broken *csv.ParseError
		r := &row{file: filepath.Base(path), digest: hex.EncodeToString(sum[:]), header: header, fields: fields}
		switch {
		case errors.As(err, &broken):
			r.line, r.bad = broken.StartLine, true
			r.remarks = []string{fmt.Sprintf(
				"column %d: %v; the header has %d columns and the row has %d", broken.Column, broken.Err, len(header),
				len(fields),
			)}
		case err != nil:
			return fmt.Errorf("%s: %w", path, err)
		default:
			r.line, _ = in.FieldPos(0)
			if err := load(ctx, r); err != nil {
				r.fail("row", err)
			}
		}
		outcome := "unchanged"
		switch {
		case r.bad:
			outcome = "NOT LOADED"
			im.failed++
		case r.sent > 0:
			outcome = "loaded"
		}
		count[outcome]++
		im.report(r, outcome)
		im.progress.show(filepath.Base(path), r.line, lines)
	}
	im.progress.done()
	if ctx.Err() != nil {
		return fmt.Errorf("%s: stopped before its end; import it again to go on: %w", path, ctx.Err())
	}
	fmt.Fprintf(
		im.out, "%s: loaded %d, unchanged %d, not loaded %d\n", path, count["loaded"], count["unchanged"],
		count["NOT LOADED"],
	)
	return nil
}

func (im *importer) report(r *row, outcome string) {
	if im.quiet && len(r.remarks) == 0 {
		return
	}
	name := "?"
	if !r.bad || len(r.fields) == len(r.header) {
		name = domain.T(r.get("name_zh"), r.get("name_en")).Chinese()
	}
	fmt.Fprintf(im.out, "%s:%d: %s: %s\n", r.file, r.line, outcome, name)
	for _, s := range r.remarks {
		fmt.Fprintf(im.out, "    %s\n", s)
	}
}

// reader returns what loads the rows of a file with these columns.
func (im *importer) reader(header []string) (func(context.Context, *row) error, error) {
	load, known := im.organisation, []string{
		"ror_id", "name_en", "name_zh", "other_names", "country", "kind", "established", "status", "uscc", "lei", "isni",
		"grid", "wikidata", "fundref", "document", "note",
	}
	switch {
	case slices.Contains(header, "host"):
		load, known = im.laboratory, []string{
			"name_zh", "name_zh_basis", "name_en", "host", "foreign_partners", "level", "decided", "period", "status",
			"document", "note",
		}
	case !slices.Contains(header, "country"):
		return nil, errors.New(
			"neither organisations (no column country) nor laboratories (no column host); see jointlab help import",
		)
	}
	for i, h := range header {
		if !slices.Contains(known, h) {
			return nil, fmt.Errorf("column %d, %q, is unknown; known are %s", i+1, h, strings.Join(known, ", "))
		}
		if slices.Index(header, h) != i {
			return nil, fmt.Errorf("column %q is given twice", h)
		}
	}
	return load, nil
}

// send sends a command that follows from a row.
func (im *importer) send(ctx context.Context, r *row, path string, command any) error {
	body, err := json.Marshal(command, json.Deterministic(true))
	if err != nil {
		return err
	}
	key := sha256.Sum256(append([]byte(path), body...))
	a, err := im.to.send(ctx, path, "import-"+hex.EncodeToString(key[:]), command)
	if err == nil && !a.Replayed {
		r.sent++
	}
	return err
}

// read reads the document of the aggregate at path, and reports whether there
// is one.
func (im *importer) read(ctx context.Context, path string, document any) (bool, error) {
	view := struct {
		Document any `json:"document"`
	}{document}
	err := im.to.get(ctx, path, &view)
	var p *problem
	if errors.As(err, &p) && p.Status == http.StatusNotFound {
		return false, nil
	}
	return err == nil, err
}

// organisationNames returns the names in a row of organisations.
func (r *row) organisationNames() []domain.Name {
	var names []domain.Name
	for _, n := range []struct{ column, lang string }{{"name_zh", "zh"}, {"name_en", "en"}} {
		if text := r.get(n.column); text != "" {
			names = append(names, domain.Name{Text: text, Lang: n.lang, Kind: domain.Official})
		}
	}
	if len(names) == 0 {
		r.fail("name_en", errors.New("a name is needed, in name_en or name_zh"))
	}
	for text := range strings.SplitSeq(r.get("other_names"), ";") {
		if text = strings.TrimSpace(text); text != "" {
			names = append(names, domain.Name{Text: text, Lang: "und", Kind: domain.Alias})
		}
	}
	return names
}

// identifiers returns the identifiers in a row of organisations, in canonical form.
func (r *row) identifiers() []entity.Assertion {
	source := r.because().Basis.Source
	var asserted []entity.Assertion
	for _, s := range []struct {
		column string
		scheme domain.Scheme
	}{{"uscc", domain.USCC}, {"lei", domain.LEI}, {"ror_id", domain.ROR}, {"isni", domain.ISNI}, {"grid", domain.GRID}, {"wikidata", domain.Wikidata}, {"fundref", domain.FundRef}} {
		if v := r.get(s.column); v != "" {
			id, err := domain.Identifier{Scheme: s.scheme, Value: v}.Canonical()
			if err != nil {
				r.fail(s.column, err)
				continue
			}
			asserted = append(asserted, entity.Assertion{Identifier: id, Source: source})
		}
	}
	return asserted
}

// organisation loads a row as a legal entity.
func (im *importer) organisation(ctx context.Context, r *row) error {
	names, asserted, because := r.organisationNames(), r.identifiers(), r.because()
	country := r.get("country")
	if !entity.IsCountry(country) {
		r.fail("country", fmt.Errorf("%q is no country; give its ISO 3166-1 code in two capital letters", country))
	}
	kind := entity.Kind(r.get("kind"))
	if kind == "" {
		kind = entity.Unstated
	}
	var established domain.PartialDate
	if v := r.get("established"); v != "" {
		var err error
		if established, err = domain.ParsePartialDate(v); err != nil {
			r.fail("established", err)
		}
	}
	if s := r.get("status"); s != "" && s != "active" {
		r.remark("status", "%q is not recorded; send succeed, merge or close for this entity", s)
	}
	if r.bad {
		return nil
	}

	id := uuid.NewSHA1(sources, []byte("entity|"+country+"|"+names[0].Text))
	if len(asserted) > 0 {
		id = uuid.NewSHA1(sources, []byte("entity|"+asserted[0].String()))
	}
	for _, a := range asserted {
		if known, ok := im.identifiers[a.Identifier]; ok {
			id = known
			break
		}
	}
	path := "/v1/entities/" + id.String()
	var have entity.Entity
	known, err := im.read(ctx, path, &have)
	if err != nil {
		return err
	}
	if !known {
		err = im.send(ctx, r, path+"/register", entity.Register{
			Grounds:     because,
			Kind:        kind,
			Country:     country,
			Names:       names,
			Identifiers: asserted,
			Established: established,
		})
	} else {
		err = im.addToEntity(ctx, r, path, have, country, names, asserted)
	}
	if err != nil {
		return err
	}
	for _, n := range names {
		im.names.Add(id, country, n.Text)
	}
	for _, a := range asserted {
		im.identifiers[a.Identifier] = id
	}
	return nil
}

// addToEntity sends what the row has beyond the register.
func (im *importer) addToEntity(
	ctx context.Context, r *row, path string, have entity.Entity, country string, names []domain.Name,
	asserted []entity.Assertion,
) error {
	if have.Country != country {
		r.remark("country", "the register has %s, which stays; correct it there if the file is right", have.Country)
	}
	for _, n := range names {
		if !slices.ContainsFunc(have.Names, func(h domain.Name) bool { return h.Text == n.Text }) {
			n.Kind = domain.Alias // the register's official name stays until it is renamed
			if err := im.send(ctx, r, path+"/add-name", entity.AddName{Grounds: r.because(), Name: n}); err != nil {
				return err
			}
		}
	}
	for _, a := range asserted {
		if !slices.ContainsFunc(have.Identifiers, func(h entity.Identifier) bool { return h.Identifier == a.Identifier }) {
			if err := im.send(ctx, r, path+"/assert-identifier", entity.AssertIdentifier{
				Grounds: r.because(), Identifier: a.Identifier, Source: a.Source,
			}); err != nil {
				return err
			}
		}
	}
	return nil
}

// resolveEntity returns the one entity that goes by the name in a cell.
func (im *importer) resolveEntity(name string) (uuid.UUID, error) {
	found := im.names.Find(name, "")
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return uuid.Nil, fmt.Errorf(
			"no entity is registered as %q; register it, or add this spelling as a further name, and import again", name,
		)
	}
	ids := make([]string, len(found))
	for i, id := range found {
		ids[i] = id.String()
	}
	return uuid.Nil, fmt.Errorf(
		"%q is the name of several entities: %s; write the one that is meant by a name only it has", name,
		strings.Join(ids, ", "),
	)
}

// bracketed returns a cell without the remark in brackets at its end, and the remark.
func bracketed(cell string) (text, remark string) {
	for _, pair := range [][2]string{{"(", ")"}, {"（", "）"}} {
		if strings.HasSuffix(cell, pair[1]) {
			if i := strings.LastIndex(cell, pair[0]); i >= 0 {
				return strings.TrimSpace(cell[:i]), strings.TrimSuffix(cell[i+len(pair[0]):], pair[1])
			}
		}
	}
	return cell, ""
}

// labNames returns the names in a row of laboratories.
func (r *row) labNames() []domain.Name {
	var names []domain.Name
	if zh := r.get("name_zh"); zh != "" {
		text, remark := bracketed(zh)
		if remark != "中文名待核" {
			text = zh
		}
		names = append(names, domain.Name{
			Text: text, Lang: "zh", Kind: domain.Official, Unverified: r.get("name_zh_basis") != "source",
		})
	}
	if en := r.get("name_en"); en != "" {
		text, acronym := bracketed(en)
		if acronym == "" || strings.ContainsAny(acronym, " ,;") {
			text, acronym = en, ""
		}
		names = append(names, domain.Name{Text: text, Lang: "en", Kind: domain.Official})
		if acronym != "" {
			names = append(names, domain.Name{Text: acronym, Lang: "en", Kind: domain.Acronym})
		}
	}
	if len(names) == 0 {
		r.fail("name_zh", errors.New("a name is needed, in name_zh or name_en"))
	}
	return names
}

// laboratory loads a row as a lab.
func (im *importer) laboratory(ctx context.Context, r *row) error {
	names := r.labNames()
	host, err := im.resolveEntity(r.get("host"))
	if err != nil {
		r.fail("host", err)
	}
	history, facts := im.history(r)
	if r.bad {
		return nil
	}

	id := uuid.NewSHA1(sources, []byte("lab|"+host.String()+"|"+r.get("name_zh")+"|"+r.get("name_en")))
	path := "/v1/labs/" + id.String()
	var have lab.Lab
	known, err := im.read(ctx, path, &have)
	if err != nil {
		return err
	}
	if !known {
		level := lab.Level(r.get("level"))
		if level == "" && strings.Contains(r.get("status"), "university-level") {
			level = lab.UniversityLevel
		}
		if err := im.send(ctx, r, path+"/propose", lab.Propose{
			Grounds: r.because(), Level: level, Names: names, Host: host,
		}); err != nil {
			return err
		}
	}
	for cell := range strings.SplitSeq(r.get("foreign_partners"), ";") {
		if err := im.partner(ctx, r, path, have, strings.TrimSpace(cell)); err != nil {
			return err
		}
	}
	for _, f := range facts {
		if !slices.ContainsFunc(
			have.Facts, func(h lab.Fact) bool { return h.Kind == f.Kind && h.On == f.On && h.Text == f.Text },
		) {
			if err := im.send(ctx, r, path+"/assert-fact", f); err != nil {
				return err
			}
		}
	}
	if history.Status != "" && len(have.Moves) == 0 {
		return im.send(ctx, r, path+"/record-history", history)
	}
	return nil
}

func (im *importer) partner(ctx context.Context, r *row, path string, have lab.Lab, cell string) error {
	name, remark := bracketed(cell)
	if name == "" {
		if remark != "" {
			r.remark("foreign_partners", "the source names no partner (%s)", remark)
		}
		return nil
	}
	id, err := im.resolveEntity(cell)
	if err != nil {
		if id, err = im.resolveEntity(name); err != nil {
			r.remark("foreign_partners", "%v", err)
			return nil
		}
	}
	if slices.ContainsFunc(have.Partners, func(p lab.Partner) bool { return p.Entity.ID == id }) {
		return nil
	}
	return im.send(ctx, r, path+"/name-partner", lab.NamePartner{Grounds: r.because(), Entity: id, As: cell})
}

// history returns what the columns state of the past of a lab.
func (im *importer) history(r *row) (lab.RecordHistory, []lab.AssertFact) {
	because := r.because()
	h := lab.RecordHistory{Grounds: because}
	var facts []lab.AssertFact
	date := func(column, text string) (d domain.PartialDate) {
		if text != "" {
			var err error
			if d, err = domain.ParsePartialDate(text); err != nil {
				r.fail(column, err)
			}
		}
		return d
	}
	decided := date("decided", r.get("decided"))
	if !decided.IsZero() {
		facts = append(facts, lab.AssertFact{Grounds: because, Kind: "decided", On: decided})
	}
	period, remark := bracketed(r.get("period"))
	if period != "" {
		var err error
		if h.Construction, err = domain.ParsePartialPeriod(period); err != nil {
			r.fail("period", err)
		}
	}
	if remark != "" {
		facts = append(facts, lab.AssertFact{
			Grounds: because, Kind: "construction-period", On: h.Construction.From, Text: domain.Text{En: remark},
		})
	}
	status := r.get("status")
	switch passed, isPassed := strings.CutPrefix(status, "acceptance review passed"); {
	case status == "":
	case status == "established":
		h.Status, h.On = lab.StatusConstruction, decided
	case strings.HasPrefix(status, "incubating"):
		h.Status, h.On = lab.StatusIncubating, decided
	case isPassed:
		h.Status, h.On = lab.StatusPeerEval, date("status", strings.TrimSpace(passed))
		facts = append(facts, lab.AssertFact{
			Grounds: because, Kind: "acceptance-review-passed", On: h.On, Text: domain.Text{En: status},
		})
	default:
		r.fail("status", fmt.Errorf("%q is unknown; use established, incubating, or acceptance review passed DATE", status))
	}
	if note := r.get("note"); note != "" {
		facts = append(facts, lab.AssertFact{Grounds: because, Kind: "note", Text: domain.Text{En: note}})
	}
	return h, facts
}

// progress shows how far a long import is, on a terminal only.
type progress struct {
	to    io.Writer
	shown time.Time
}

func newProgress(to io.Writer) *progress {
	if f, ok := to.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return &progress{to: to}
		}
	}
	return &progress{}
}

func (p *progress) show(file string, line, lines int) {
	if p.to != nil && time.Since(p.shown) > 200*time.Millisecond {
		p.shown = time.Now()
		fmt.Fprintf(p.to, "\r%s: line %d of %d (%d%%) ", file, line, lines, line*100/max(1, lines))
	}
}

func (p *progress) done() {
	if p.to != nil && !p.shown.IsZero() {
		fmt.Fprint(p.to, "\r\x1b[K")
	}
}
