package api

import (
	"strconv"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/projections"
)

// maxChanges is the number of changes that narrate lists; it counts the rest.
const maxChanges = 12

// narrate returns the account of an event: actor, role, entity acted for, sentence,
// changes, reason, document and correction.
func narrate(t projections.TrailEntry, names *entityNames) domain.Text {
	m := t.Meta
	role, ok := roleNames[m.Actor.Role]
	if !ok {
		role = domain.T(string(m.Actor.Role), string(m.Actor.Role))
	}
	who := domain.Textf("%s（%s）", "%s (%s)", m.Actor.Subject, role)
	if id := m.Actor.OnBehalfOf; id != uuid.Nil {
		behalf := names.of(id)
		if behalf.IsZero() {
			behalf = domain.T(id.String(), id.String())
		}
		who = domain.Textf("%s代表%s", "%s for %s", who, behalf)
	}
	told := []domain.Text{domain.Textf("%s：%s。", "%s: %s.", who, t.Sentence)}
	add := func(zh, en string, args ...any) { told = append(told, domain.Textf(zh, en, args...)) }
	if changes := describeChanges(t.Changes, names); len(changes) > 0 {
		more := domain.Text{}
		if n := len(changes) - maxChanges; n > 0 {
			changes, more = changes[:maxChanges], domain.Textf("；另有 %d 处", "; %d more", n)
		}
		var zh, en []string
		for _, c := range changes {
			zh, en = append(zh, c.Zh), append(en, c.En)
		}
		add("变更：%s%s。", "Changed: %s%s.", domain.T(strings.Join(zh, "；"), strings.Join(en, "; ")), more)
	}
	if m.Because.Reason != "" {
		add("事由：%s。", "Reason: %s.", strings.TrimRight(m.Because.Reason, "。."))
	}
	if b := m.Because.Basis; b != (domain.Basis{}) {
		document := domain.T(b.Document, b.Document)
		if b.Document == "" {
			document = domain.T("未注明文号", "a document without number")
		}
		if b.Source != "" {
			document = domain.Textf("%s（见 %s）", "%s (seen in %s)", document, b.Source)
		}
		if b.Digest != "" {
			document = domain.Textf("%s，摘要 %s", "%s, digest %s", document, b.Digest)
		}
		add("依据：%s。", "Basis: %s.", document)
	}
	if t.Corrects != uuid.Nil {
		add("更正事件 %s。", "It corrects event %s.", t.Corrects)
	}
	for _, by := range t.CorrectedBy {
		add("此后由事件 %s 更正。", "It was corrected later by event %s.", by)
	}
	var zh, en []string
	for _, s := range told {
		zh, en = append(zh, s.Zh), append(en, s.En)
	}
	return domain.T(strings.Join(zh, ""), strings.Join(en, " "))
}

// changeText is a change that describeChanges renders.
type changeText struct {
	path          []string
	before, after domain.Text
	came, went    bool // added or removed as one value
}

// describeChanges returns changes in words: 协议 A1 · 生效日：无 → 2025-04-07. It omits
// members that only link records to events, names legal entities, and lists equal
// texts once with their number.
func describeChanges(changes []projections.Change, names *entityNames) (said []domain.Text) {
	var all []*changeText
	at := map[string]*changeText{}
	entities := map[string]bool{} // paths whose legal entity changed
	for _, c := range changes {
		path := strings.Split(c.Path, "/")
		leaf := path[len(path)-1]
		lang := ""
		if (leaf == "zh" || leaf == "en") && len(path) > 1 {
			lang, path = leaf, path[:len(path)-1]
		}
		key := strings.Join(path, "/")
		w := at[key]
		if w == nil {
			w = &changeText{path: path, came: c.Before == nil, went: c.After == nil}
			at[key], all = w, append(all, w)
		}
		before, after := describeValue(leaf, c.Before, names), describeValue(leaf, c.After, names)
		switch lang {
		case "zh":
			w.before.Zh, w.after.Zh, w.came, w.went = before.Zh, after.Zh, false, false
		case "en":
			w.before.En, w.after.En, w.came, w.went = before.En, after.En, false, false
		default:
			w.before, w.after = before, after
			w.came, w.went = w.came && isWhole(c.After), w.went && isWhole(c.Before)
		}
		if len(path) > 1 && path[len(path)-1] == "name" {
			entities[strings.Join(path[:len(path)-1], "/")] = true
		}
	}
	times := map[domain.Text]int{}
	for _, w := range all {
		if text, ok := w.describe(entities, at, names); ok {
			if times[text]++; times[text] == 1 {
				said = append(said, text)
			}
		}
	}
	for i, text := range said {
		if n := times[text]; n > 1 {
			said[i] = domain.Textf("%s（%d 项）", "%s (%d times)", text, n)
		}
	}
	return said
}

// unnarratedMembers link records to events, or repeat the status and the sentence.
var unnarratedMembers = map[string]bool{"event": true, "events": true, "recorded_by": true, "corrected_by": true,
	"moves": true}

// describe returns the text of one change, or false if it has none for people.
func (w *changeText) describe(entities map[string]bool, at map[string]*changeText, names *entityNames) (domain.Text,
	bool) {
	path := w.path
	for i, segment := range path {
		if unnarratedMembers[segment] || len(path) == 1 && segment == "id" {
			return domain.Text{}, false
		}
		// The name suffices for a legal entity that replaced another.
		parent := strings.Join(path[:i], "/")
		if i > 0 && entities[parent] && at[parent+"/id"] != nil {
			if segment != "name" {
				return domain.Text{}, false
			}
			path = path[:i]
			break
		}
	}
	where := describePath(path, names)
	switch {
	case w.came && w.after.IsZero():
		return domain.Textf("新增%s", "%s added", where), true
	case w.came:
		return domain.Textf("新增%s（%s）", "%s added (%s)", where, w.after), true
	case w.went:
		return domain.Textf("删去%s（%s）", "%s removed (%s)", where, w.before), true
	}
	return domain.Textf("%s：%s → %s", "%s: %s → %s", where, orNone(w.before), orNone(w.after)), true
}

func orNone(t domain.Text) domain.Text {
	if t.IsZero() {
		return domain.T("无", "none")
	}
	return t
}

// numberedLists are the lists whose items people cite by number.
var numberedLists = map[string]bool{"amendments": true, "contributions": true, "applications": true,
	"acceptances": true}

// describePath returns a path in words: agreements/A1/in_force_from is 协议 A1 · 生效日.
func describePath(path []string, names *entityNames) domain.Text {
	var zh, en []string
	for i, segment := range path {
		segment = strings.NewReplacer("~1", "/", "~0", "~").Replace(segment)
		if word, ok := vocabulary[segment]; ok {
			zh, en = append(zh, word.Zh), append(en, word.En)
			continue
		}
		if i > 0 && !numberedLists[path[i-1]] && strings.Trim(segment, "0123456789") == "" {
			continue // an index in a list means nothing to people
		}
		is := domain.T(segment, segment)
		if id, err := uuid.Parse(segment); err == nil && !names.of(id).IsZero() {
			is = names.of(id)
		}
		if last := len(zh) - 1; last >= 0 {
			zh[last], en[last] = zh[last]+" "+is.Chinese(), en[last]+" "+is.English()
		} else {
			zh, en = append(zh, is.Chinese()), append(en, is.English())
		}
	}
	return domain.T(strings.Join(zh, " · "), strings.Join(en, ", "))
}

func isWhole(v jsontext.Value) bool { return v.Kind() == '{' || v.Kind() == '[' }

// describeValue returns a value as text, and an object as describeObject does.
func describeValue(leaf string, v jsontext.Value, names *entityNames) domain.Text {
	var x any
	if v == nil || json.Unmarshal(v, &x) != nil {
		return domain.Text{}
	}
	return word(leaf, x, names)
}

func word(leaf string, x any, names *entityNames) domain.Text {
	switch x := x.(type) {
	case bool:
		if x {
			return domain.T("是", "yes")
		}
		return domain.T("否", "no")
	case string:
		if say, ok := codes[leaf]; ok && !say(x).IsZero() {
			return say(x)
		}
		if id, err := uuid.Parse(x); err == nil && !names.of(id).IsZero() {
			return names.of(id)
		}
		return domain.T(x, x)
	case float64:
		n := strconv.FormatFloat(x, 'f', -1, 64)
		return domain.T(n, n)
	case []any:
		return domain.Textf("%d 项", "%d items", len(x))
	case map[string]any:
		return describeObject(x, names)
	}
	return domain.Text{}
}

// identifyingMembers are the members that identify an object within its kind, in
// order of preference.
var identifyingMembers = []string{
	"name", "title", "entity", "party", "provider", "contributor", "person", "representative", "text", "summary",
	"indicator",
	"document", "value", "number", "cash", "quantity", "amount", "due", "on",
}

// maxIdentifying is the number of them that describeObject uses.
const maxIdentifying = 3

// describeObject returns the identifying members of an object as text.
func describeObject(x map[string]any, names *entityNames) domain.Text {
	text := func(member string) string { s, _ := x[member].(string); return s }
	switch from, to := text("from"), text("to"); {
	case text("zh") != "" || text("en") != "":
		t := domain.T(text("zh"), text("en"))
		return domain.T(t.Chinese(), t.English())
	case text("currency") != "" && text("amount") != "":
		return domain.Textf("%s %s", "%s %s", text("amount"), text("currency"))
	case !lab.Status(to).Text().IsZero():
		return domain.Textf("%s → %s，%s", "%s → %s, %s", lab.Status(from), lab.Status(to), text("on"))
	case len(x) <= 2 && (from != "" || to != ""):
		return domain.Textf("%s 至 %s", "%s to %s", from, to)
	}
	var zh, en []string
	for _, member := range identifyingMembers {
		if t := word(member, x[member], names); !t.IsZero() && len(zh) < maxIdentifying &&
			!strings.HasPrefix(t.En, "sha256:") {
			zh, en = append(zh, t.Chinese()), append(en, t.English())
		}
	}
	return domain.T(strings.Join(zh, "，"), strings.Join(en, ", "))
}
