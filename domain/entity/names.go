package entity

import (
	"fmt"
	"slices"
	"strings"

	"github.com/jointlab/jointlab/domain"
)

// DisplayName returns the official name now, in Chinese and in English.
func (e *Entity) DisplayName() domain.Text { return domain.Current(e.Names) }

// AllNames returns the text of every name the entity has or had, in any language.
func (e *Entity) AllNames() []string {
	texts := make([]string, len(e.Names))
	for i, n := range e.Names {
		texts[i] = n.Text
	}
	return texts
}

// tidy returns the name with single spaces in it and none around it.
func tidy(n domain.Name) domain.Name {
	n.Text = strings.Join(strings.Fields(n.Text), " ")
	return n
}

// checkNames reports to c the names at fault and returns them tidied.
func checkNames(c *domain.Check, names []domain.Name, today domain.Date) []domain.Name {
	var checked []domain.Name
	readable := false
	for i, n := range names {
		n = tidy(n)
		checkName(c, fmt.Sprintf("names[%d]", i), n, checked, today)
		checked = append(checked, n)
		lang, _, _ := strings.Cut(n.Lang, "-")
		readable = readable || lang == "zh" || lang == "en"
	}
	c.Require(readable, "names", "请至少填写一个中文名称或英文名称", "give at least one name in Chinese or English")
	return checked
}

// checkName reports to c a name at fault in itself or beside the others: a
// duplicate for the same time, or a second official name in its language.
func checkName(c *domain.Check, path string, n domain.Name, others []domain.Name, today domain.Date) {
	n.Check(c, path)
	notFuture(c, path+".valid.from", n.Valid.From, today)
	notFuture(c, path+".valid.to", n.Valid.To, today)
	for _, o := range others {
		if n.Lang != o.Lang || !overlap(n.Valid, o.Valid) {
			continue
		}
		twice := n.Text == o.Text
		c.Require(!twice, path+".text", "名称“%s”已经填写；请删去重复的一项", "the name “%s” is there already; leave the second one out", n.Text)
		c.Require(twice || n.Kind != domain.Official || o.Kind != domain.Official, path+".kind",
			"同一时期同一语言只能有一个正式名称，已有“%s”；请填写各自的起止时间或改用其他类别，更名请使用更名命令",
			"one language has one official name at a time, and “%s” is it; give both their periods or choose another kind, and use rename for a change of name", o.Text)
	}
}

// overlap reports whether two periods certainly share a day. Names that follow
// each other may both be dated by the same year.
func overlap(a, b domain.PartialPeriod) bool {
	before := func(a, b domain.PartialPeriod) bool {
		return !a.To.IsZero() && !b.From.IsZero() && a.To.Earliest().Before(b.From.Latest())
	}
	return !before(a, b) && !before(b, a)
}

// AddName adds a name, beside those the entity has.
type AddName struct {
	domain.Grounds
	Name domain.Name `json:"name" doc:"The further name"`
}

// NameAdded records that an entity goes, or went, by a further name.
type NameAdded struct {
	Name domain.Name `json:"name"`
}

// Decide refuses a name the entity has already for that time.
func (a AddName) Decide(e *Entity, x domain.Context) ([]Event, error) {
	if err := e.changeable(); err != nil {
		return nil, err
	}
	var c domain.Check
	name := tidy(a.Name)
	checkName(&c, "name", name, e.Names, x.Today())
	return domain.Accept[Event](NameAdded{name}, c.Err())
}

func (n NameAdded) apply(e *Entity, _ domain.Meta) { e.Names = append(e.Names, n.Name) }

// Sentence quotes the name.
func (n NameAdded) Sentence() domain.Text {
	return domain.Textf("增加名称“%s”（%s，%s）", "Added the name “%s” (%s, %s)", n.Name.Text, n.Name.Lang, kindOfName[n.Name.Kind])
}

var kindOfName = map[domain.NameKind]domain.Text{
	domain.Official: domain.T("正式名称", "official name"),
	domain.Short:    domain.T("简称", "short name"),
	domain.Acronym:  domain.T("缩写", "acronym"),
	domain.Former:   domain.T("曾用名", "former name"),
	domain.Alias:    domain.T("别名", "alias"),
}

// Rename gives the entity another official name in one language.
type Rename struct {
	domain.Grounds
	Lang string             `json:"lang" doc:"BCP 47 tag of the language in which the official name changes, e.g. zh" maxLength:"35"`
	Name string             `json:"name" doc:"The new official name" minLength:"1" maxLength:"400"`
	On   domain.PartialDate `json:"on" doc:"From when the new name holds, as far as known"`
}

// Renamed records that an entity changed its official name in one language.
type Renamed struct {
	Lang string             `json:"lang"`
	From string             `json:"from"`
	To   string             `json:"to"`
	On   domain.PartialDate `json:"on"`
}

// official returns the place of the official name in lang that has no end, or -1.
func (e *Entity) official(lang string) int {
	return slices.IndexFunc(e.Names, func(n domain.Name) bool {
		return n.Kind == domain.Official && n.Lang == lang && n.Valid.To.IsZero()
	})
}

// Decide refuses a name that is the same, or that would start before the old one did.
func (r Rename) Decide(e *Entity, x domain.Context) ([]Event, error) {
	if err := e.changeable(); err != nil {
		return nil, err
	}
	var c domain.Check
	given(&c, "on", r.On, x.Today())
	to := tidy(domain.Name{Text: r.Name}).Text
	c.Require(to != "", "name", "请填写新名称", "give the new name")
	old := domain.Name{}
	if i := e.official(r.Lang); i >= 0 {
		old = e.Names[i]
		c.Require(to != old.Text, "name", "新名称与现用正式名称相同", "the entity has this official name already; give the new one")
		c.Require(r.On.IsZero() || !until(r.On).Latest().Before(old.Valid.From.Earliest()), "on",
			"现用名称自 %s 起使用；更名日期应晚于该日期", "the present name holds from %s; the new one must start later", old.Valid.From)
	} else {
		c.Require(false, "lang", "该法人没有语言为“%s”的现用正式名称；请核对语言标签，或使用增加名称命令",
			"the entity has no official name in %q now; check the language tag, or add a name instead", r.Lang)
	}
	return domain.Accept[Event](Renamed{r.Lang, old.Text, to, r.On}, c.Err())
}

func (r Renamed) apply(e *Entity, _ domain.Meta) {
	if i := e.official(r.Lang); i >= 0 {
		e.Names[i].Valid.To = until(r.On)
	}
	e.Names = append(e.Names, domain.Name{
		Text: r.To, Lang: r.Lang, Kind: domain.Official, Valid: domain.PartialPeriod{From: r.On},
	})
}

// Sentence quotes both names.
func (r Renamed) Sentence() domain.Text {
	return domain.Textf("正式名称（%[1]s）自 %[4]s 起由“%[2]s”更改为“%[3]s”",
		"The official name (%[1]s) changed from “%[2]s” to “%[3]s” as of %[4]s", r.Lang, r.From, r.To, r.On)
}

// until returns the end of what is replaced on a date: the day before it, or the
// same month or year where no more is known.
func until(on domain.PartialDate) domain.PartialDate {
	if len(on.String()) < len("2006-01-02") {
		return on
	}
	return on.Earliest().AddDays(-1).Partial()
}

// given requires a partial date whose first day has come.
func given(c *domain.Check, path string, d domain.PartialDate, today domain.Date) {
	c.Require(!d.IsZero(), path, "请填写日期（YYYY、YYYY-MM 或 YYYY-MM-DD）", "give the date as YYYY, YYYY-MM or YYYY-MM-DD, as far as it is known")
	notFuture(c, path, d, today)
}
