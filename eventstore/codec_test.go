package eventstore

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
	"pgregory.net/rapid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/domaintest"
	"github.com/jointlab/jointlab/domain/lab"
)

var update = flag.Bool("update", false, "write golden bodies for event types that have none yet; those there are never changed")

func golden(name string) string { return filepath.Join("testdata", "events", name+".json") }

// bodies reads every golden body, by stored name.
func bodies(t testing.TB) map[string][]byte {
	t.Helper()
	files, err := filepath.Glob(golden("*"))
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]byte{}
	for _, file := range files {
		body, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimSuffix(filepath.Base(file), ".json")] = bytes.TrimSuffix(body, []byte("\n"))
	}
	return all
}

// streamOf reads the stream from a body's source.
func streamOf(t testing.TB, name string, body []byte) Stream {
	t.Helper()
	_, source, _ := bytes.Cut(body, []byte(`"source":"/`))
	source, _, _ = bytes.Cut(source, []byte(`"`))
	_, id, _ := strings.Cut(string(source), "/")
	stream := Stream{Kind: strings.Split(name, ".")[0]}
	var err error
	if stream.ID, err = uuid.Parse(id); err != nil {
		t.Fatalf("source %s: %v", source, err)
	}
	return stream
}

func TestReleasedEvents(t *testing.T) {
	if *update {
		writeGolden(t)
	}
	have := bodies(t)
	for name := range eventTypes {
		if have[name] == nil {
			t.Errorf("%s has no golden body; run: go test ./eventstore -run Released -update", name)
		}
	}
	for name, body := range have {
		if eventTypes[name].event == nil {
			t.Errorf("%s was released and is gone from eventtypes.go; events of that name could no longer be read", name)
			continue
		}
		d, err := Decode(body)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d.Type != name || reflect.TypeOf(d.Event) != reflect.TypeOf(eventTypes[name].event) {
			t.Errorf("%s decodes to %s, %T", name, d.Type, d.Event)
		}
		again, err := Encode(streamOf(t, name, body), d.Meta, d.Event)
		if err != nil || again.ID != d.Meta.ID || again.Type != name || !bytes.Equal(again.Body, body) {
			t.Errorf("%s is written differently now (%v); give the new form a new version\nwas: %s\nnow: %s", name, err, body, again.Body)
			continue
		}
		if twice, err := Decode(again.Body); err != nil || !cmp.Equal(d, twice, domaintest.Same) {
			t.Errorf("%s: %v\n%s", name, err, cmp.Diff(d, twice, domaintest.Same))
		}
		if s := d.Event.Sentence(); s.Zh == "" || s.En == "" || strings.Contains(s.Zh+s.En, "%!") {
			t.Errorf("%s says %+v", name, s)
		}
	}
}

// writeGolden writes a body for each name that has none.
func writeGolden(t *testing.T) {
	if err := os.MkdirAll(golden("")[:len(golden(""))-len("/.json")], 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range slices.Sorted(maps.Keys(eventTypes)) {
		if _, err := os.Stat(golden(name)); err == nil {
			continue
		}
		e := sample(name)
		if s := e.Sentence(); s.IsZero() {
			t.Errorf("%s says nothing", name)
		}
		p, err := Encode(Stream{strings.Split(name, ".")[0], sampleID(1)}, sampleMeta(name), e)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(golden(name), append(p.Body, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func sampleID(n byte) uuid.UUID {
	return uuid.UUID{0x01, 0x8f, 0x3a, 0x7c, 0x5d, 0x10, 0x70, 0x00, 0x80, 0, 0, 0, 0, 0, 0, n}
}

func sampleDigest(of string) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256([]byte(of)))
}

func sampleMeta(name string) domain.Meta {
	return domain.Meta{
		ID: uuid.NewSHA1(sampleID(2), []byte(name)), Revision: 41,
		Time:  time.Date(2024, 2, 29, 15, 59, 59, 123456000, time.UTC),
		Actor: domain.Actor{Subject: "zhang@moe.example", Role: domain.Officer, OnBehalfOf: sampleID(3)},
		Because: domain.Grounds{Reason: "依据来函登记", Basis: domain.Basis{
			Document: "教技函〔2024〕12号", Digest: sampleDigest("basis"), Source: "notice-2024-12.pdf, p. 3",
		}},
		Policy: lab.Policy, Command: sampleID(4), Digest: sampleDigest(name), Correlation: "import-2024-03", Causation: sampleID(5).String(),
	}
}

// sample returns an event of the named type with every field filled.
func sample(name string) domain.Event {
	v := reflect.New(reflect.TypeOf(eventTypes[name].event)).Elem()
	fill(name, v, "")
	return v.Interface().(domain.Event)
}

var (
	sampleHost = domain.EntityRef{
		ID: sampleID(6), Name: domain.T("南京大学", "Nanjing University"), Kind: "university", Country: "CN", Side: domain.Chinese,
		Identifiers: []domain.Identifier{{Scheme: domain.USCC, Value: "12100000466007597X"}},
	}
	samplePartner = domain.EntityRef{
		ID: sampleID(7), Name: domain.T("牛津大学", "University of Oxford"), Kind: "university", Country: "GB", Side: domain.Foreign,
		Identifiers: []domain.Identifier{{Scheme: domain.ROR, Value: "052gg0110"}},
	}
)

// transitions holds the statuses of each status event.
var transitions = map[string][2]lab.Status{
	"acceptance-applied":           {lab.StatusConstruction, lab.StatusAcceptance},
	"acceptance-not-passed":        {lab.StatusPeerEval, lab.StatusNotPassed},
	"application-resubmitted":      {lab.StatusReturned, lab.StatusRecommended},
	"application-returned":         {lab.StatusInReview, lab.StatusReturned},
	"application-submitted":        {lab.StatusIncubating, lab.StatusRecommended},
	"acceptance-passed":            {lab.StatusPeerEval, lab.StatusPeerEval},
	"not-shortlisted":              {lab.StatusInReview, lab.StatusNotEstablished},
	"opened":                       {lab.StatusOperating, lab.StatusOperating},
	"closed":                       {lab.StatusOperating, lab.StatusClosed},
	"construction-extended":        {lab.StatusConstruction, lab.StatusConstruction},
	"establishment-approved":       {lab.StatusSiteVisit, lab.StatusConstruction},
	"establishment-declined":       {lab.StatusSiteVisit, lab.StatusNotEstablished},
	"formal-check-passed":          {lab.StatusRecommended, lab.StatusInReview},
	"history-recorded":             {lab.StatusProposed, lab.StatusOperating},
	"incubation-resumed":           {lab.StatusNotEstablished, lab.StatusIncubating},
	"incubation-started":           {lab.StatusProposed, lab.StatusIncubating},
	"peer-evaluation-commissioned": {lab.StatusAcceptance, lab.StatusPeerEval},
	"recognised":                   {lab.StatusPeerEval, lab.StatusOperating},
	"rectification-required":       {lab.StatusPeerEval, lab.StatusRectifying},
	"resumed":                      {lab.StatusSuspended, lab.StatusOperating},
	"revoked":                      {lab.StatusNotPassed, lab.StatusRevoked},
	"shortlisted":                  {lab.StatusInReview, lab.StatusSiteVisit},
	"suspended":                    {lab.StatusOperating, lab.StatusSuspended},
	"withdrawn":                    {lab.StatusConstruction, lab.StatusWithdrawn},
}

func transition(name string) [2]lab.Status {
	t, ok := transitions[strings.TrimSuffix(strings.TrimPrefix(name, "lab.status."), ".v1")]
	if !ok {
		panic(name + ": say in transitions which statuses it leads from and to")
	}
	return t
}

// fill gives v, the field of the given name of an event, a value such as an
// officer might enter.
func fill(event string, v reflect.Value, field string) {
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(field, w) })
	}
	set := func(x any) { v.Set(reflect.ValueOf(x)) }
	switch v.Interface().(type) {
	case domain.EntityRef:
		set(sampleHost)
		if has("Party", "Successor", "Entity", "Owner") {
			set(samplePartner)
		}
		return
	case domain.Text:
		set(domain.T("双方联合培养研究生，每年不少于十名", "The parties train at least ten graduate students a year together"))
		if has("Title", "Name") {
			set(domain.T("共建国际合作联合实验室协议", "Agreement on a Joint International Research Laboratory"))
		}
		return
	case domain.Date:
		set(domain.MustDate("2024-02-29"))
		if has("Until", "Due", "By", "To", "Left") {
			set(domain.MustDate("2027-12-31"))
		}
		return
	case domain.PartialDate:
		p, err := domain.ParsePartialDate(map[bool]string{true: "2026", false: "2016-01"}[has("To")])
		if err != nil {
			panic(err)
		}
		set(p)
		return
	case time.Time:
		set(time.Date(2025, 3, 31, 16, 0, 0, 0, time.UTC))
		return
	case domain.Decimal:
		set(domain.MustDecimal("1200000.00"))
		return
	case domain.Restated:
		inner := "lab.status.incubation-started.v1"
		if kind, _, _ := strings.Cut(event, "."); kind != "lab" {
			for _, n := range slices.Sorted(maps.Keys(eventTypes)) {
				if strings.HasPrefix(n, kind+".") && !strings.Contains(n, "corrected") {
					inner = n
					break
				}
			}
		}
		set(domain.Restated{Event: sample(inner)})
		return
	case lab.Quantity:
		m := domain.Money{Amount: domain.MustDecimal("1200000.00"), Currency: "CNY"}
		d := domain.MustDecimal("860.5")
		q := lab.Quantity{Cash: &m}
		switch event { // each kind stands in one golden body at least
		case "lab.funding.received.v1":
			q = lab.Quantity{Equipment: &lab.Equipment{Items: 3, Value: m}}
		case "lab.funding.returned.v1":
			q = lab.Quantity{Premises: &d}
		case "lab.funding.amended.v1":
			q = lab.Quantity{StaffMonths: &d}
		}
		set(q)
		return
	case lab.Of:
		set(lab.Of{Application: 1})
		return
	case domain.Person:
		set(domain.Person{ID: "P-1024", Name: "李明", Title: "校长"})
		return
	case uuid.UUID:
		if has("Party") {
			set(samplePartner.ID)
			return
		}
		set(sampleID(byte(8 + len(field)%8)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if f := v.Type().Field(i); f.IsExported() {
				fill(event, v.Field(i), f.Name)
			}
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(event, v.Elem(), field)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(event, v.Index(0), field)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(map[string]int64{"FromYear": 2024, "ToYear": 2026}[field])
		if v.Int() == 0 {
			v.SetInt(2)
		}
	case reflect.Uint64:
		v.SetUint(42)
	case reflect.String:
		v.SetString(word(event, v.Type(), field))
	default:
		panic(fmt.Sprintf("%s: no sample for field %s of type %s; give it one here", event, field, v.Type()))
	}
}

// word returns a sample of a string, by its type or else by its field's name.
func word(event string, t reflect.Type, field string) string {
	if strings.HasPrefix(event, "webhook.") {
		if w, ok := map[string]string{
			"URL": "https://example.org/jointlab", "Facets": "status", "From": string(lab.StatusIncubating), "To": string(lab.StatusConstruction), "Level": string(lab.MinistryLevel),
		}[field]; ok {
			return w
		}
	}
	if strings.HasPrefix(event, "key.") {
		if w, ok := map[string]string{
			"Subject": "service:grants@" + sampleHost.ID.String(), "Role": string(domain.Host), "Hash": strings.TrimPrefix(sampleDigest("a key"), "sha256:"),
		}[field]; ok {
			return w
		}
	}
	if t == reflect.TypeFor[lab.Status]() {
		return string(transition(event)[map[string]int{"To": 1}[field]])
	}
	if strings.HasPrefix(event, "entity.") {
		if w, ok := map[string]string{"Text": "南京大学", "From": "国立中央大学", "To": "南京大学"}[field]; ok {
			return w
		}
	}
	if strings.HasPrefix(event, "lab.review.") {
		if w, ok := map[string]string{
			"Version": "2024", "Title": "合作协议", "Indicator": "1.1", "Number": "校科〔2024〕3号", "Expert": "Z1", "Present": "Z1", "Goal": "H1",
			"Declaration": sampleDigest("a declaration"), "Minutes": sampleDigest("minutes"),
		}[field]; ok {
			return w
		}
	}
	if strings.HasPrefix(event, "programme.") {
		if w, ok := map[string]string{
			"Document": "教技〔2014〕1号", "Policy": "教技〔2014〕1号", "By": "教技〔2022〕5号", "Rules": "2014", "LegalBasis": "国家中长期教育改革和发展规划纲要（2010-2020年）",
			"Level": "ministry", "Version": "2024", "ID": "1.1", "Decision": "established",
		}[field]; ok {
			return w
		}
	}
	if w, ok := map[string]string{
		"AffiliatedTo": string(lab.ToProvince), "Mode": string(domain.PlatformMode), "ReviewDimension": string(lab.ReviewDimensions[0]), "Axis": string(lab.Axes[0]),
		"Dimension": string(domain.Dimensions[0]), "Core": string(domain.Cores[0]), "SystemKind": string(domain.ForEstablishment),
		"Class": string(lab.Substantive), "PartyRole": string(lab.PartnerParty), "ItemKind": string(lab.Responsibility),
		"FundingSource": string(lab.ForeignFunds), "NameKind": string(domain.Official), "Scheme": string(domain.ROR), "Level": string(lab.MinistryLevel),
		"AgreementStatus": string(lab.InForce), "Personal": "张华", "Side": string(domain.Foreign),
		"BodyKind": string(lab.AcademicCommittee), "MemberKind": string(lab.CommitteeMember), "InstrumentKind": string(lab.CoordinationRules),
		"ReformDomain": "research", "TrainingKind": string(lab.JointDegree), "VisitorKind": string(lab.YoungTeachers), "FundKind": string(lab.SeedFund),
		"ObjectiveKind": string(lab.ServiceObjective), "CountKind": string(lab.TechnicalStaff), "SupportKind": string(lab.FundingSupport),
	}[t.Name()]; ok {
		return w
	}
	if w, ok := map[string]map[string]string{ // what a field says in one event and no other
		"lab.record.discipline-evidenced.v1":      {"Status": "national-key"},
		"lab.record.partner-assessed.v1":          {"Level": "world-class"},
		"lab.record.joint-degrees-awarded.v1":     {"Programme": "X1", "Level": "doctor"},
		"lab.record.supervisors-paired.v1":        {"Level": "doctor"},
		"lab.record.visit-recorded.v1":            {"Programme": "X1", "Direction": "out"},
		"lab.record.rate-recorded.v1":             {"From": "EUR", "To": "CNY", "Source": "中国外汇交易中心"},
		"lab.record.project-linked.v1":            {"Kind": "big-science-plan", "Role": "participated"},
		"lab.record.output-recorded.v1":           {"Kind": "paper", "Identifier": "10.1000/182"},
		"lab.record.ministry-support-decided.v1":  {"Support": "G1", "Decision": "granted", "Document": "教技函〔2024〕12号"},
		"lab.record.support-promised.v1":          {"Support": "S1"},
		"lab.record.support-delivered.v1":         {"Support": "S1"},
		"lab.record.instrument-adopted.v1":        {"ID": "N1"},
		"lab.record.instrument-repealed.v1":       {"ID": "N1"},
		"lab.record.reform-declared.v1":           {"ID": "E1"},
		"lab.record.training-programme-opened.v1": {"ID": "X1"},
	}[event][field]; ok {
		return w
	}
	if w, ok := map[string]string{
		"Body": "B1", "Charter": sampleDigest("charter"), "Minutes": sampleDigest("minutes"), "Member": "M1", "Link": "D1", "Reform": "E1", "Fund": "K1",
		"Objective": "O1", "Direction": "D1", "Project": "J1", "Tag": "frontier", "Support": "G1",
		"Agreement": "A1", "By": "A2", "Item": "R1", "Commitment": "F1", "Platform": "P1", "Task": "T1", "Clause": "第5条",
		"Digest": sampleDigest("a document"), "Evidence": sampleDigest("evidence"), "Notice": sampleDigest("a notice"), "Document": sampleDigest("a document"),
		"Lang": "zh", "Languages": "en", "GoverningLaw": "中华人民共和国法律", "Country": "CN", "Currency": "CNY", "Value": "052gg0110", "Kind": "university",
		"Level": "national", "As": "Oxford Univ.", "Text": "天体物理国际合作联合实验室", "Programme": lab.DefaultProgramme, "Unit": "Department of Physics",
		"Certificate": "教技函〔2024〕9号", "Consent": "教技函〔2024〕10号", "Source": "labs.csv, row 7",
	}[field]; ok {
		return w
	}
	return "样例 sample"
}

func TestDecodeRejectsUnknown(t *testing.T) {
	good := string(bodies(t)["lab.record.discipline-set.v1"])
	if _, err := Decode([]byte(good)); err != nil {
		t.Fatal(err)
	}
	var unknown *UnknownTypeError
	for _, name := range []string{"lab.record.discipline-set.v2", "", "LAB.RECORD.DISCIPLINE-SET.V1"} {
		_, err := Decode([]byte(strings.Replace(good, "lab.record.discipline-set.v1", name, 1)))
		if !errors.As(err, &unknown) || unknown.Type != name || !strings.Contains(err.Error(), "upgrade") {
			t.Errorf("type %q: %v", name, err)
		}
	}
	inner := strings.Replace(string(bodies(t)["lab.record.corrected.v1"]), "lab.status.incubation-started.v1", "lab.status.imagined.v1", 1)
	if _, err := Decode([]byte(inner)); !errors.As(err, &unknown) || unknown.Type != "lab.status.imagined.v1" {
		t.Errorf("a correction to an unknown event: %v", err)
	}
	for what, body := range map[string]string{
		"an unknown attribute":       strings.Replace(good, `{"specversion"`, `{"colour":"red","specversion"`, 1),
		"an unknown member of data":  strings.Replace(good, `"data":{`, `"data":{"colour":"red",`, 1),
		"another case":               strings.Replace(good, `"data":{`, `"data":{"FROM":{},`, 1),
		"a name twice":               strings.Replace(good, `{"specversion"`, `{"actor":"x","specversion"`, 1),
		"a name twice in data":       strings.Replace(good, `"data":{`, `"data":{"to":{},`, 1),
		"invalid UTF-8":              strings.Replace(good, "zhang", "zh\xffng", 1),
		"invalid UTF-8 in data":      strings.Replace(good, "parties", "part\xc3es", 1),
		"half a surrogate pair":      strings.Replace(good, "zhang", `zh\ud800ng`, 1),
		"a time in another zone":     strings.Replace(good, "15:59:59.123456Z", "23:59:59.123456+08:00", 1),
		"a time without decimals":    strings.Replace(good, "15:59:59.123456Z", "15:59:59Z", 1),
		"a day that does not exist":  strings.Replace(good, "2024-02-29T", "2023-02-29T", 1),
		"a negative revision":        strings.Replace(good, `"revision":41`, `"revision":-1`, 1),
		"a revision as text":         strings.Replace(good, `"revision":41`, `"revision":"41"`, 1),
		"an id that is none":         strings.Replace(good, `"id":"`, `"id":"x`, 1),
		"no data":                    good[:strings.Index(good, `,"data"`)] + "}",
		"data of another shape":      strings.Replace(good, `"data":{`, `"data":[{`, 1),
		"something after the object": good + "{}",
		"nothing":                    "",
		"no object":                  "[]",
	} {
		if body == good {
			t.Errorf("%s: the body was not changed", what)
		}
		if d, err := Decode([]byte(body)); err == nil {
			t.Errorf("%s is read as %+v", what, d)
		}
	}
}

func TestStoredNames(t *testing.T) {
	facets := []string{"agreement", "rights", "funding", "status", "review", "record"}
	types := map[reflect.Type]string{}
	for name, row := range eventTypes {
		event, parts := row.event, strings.Split(name, ".")
		kind, version := parts[0], parts[len(parts)-1]
		if version[0] != 'v' || strings.Trim(version[1:], "0123456789") != "" || strings.ToLower(name) != name {
			t.Errorf("%s does not end in a version, or is not in lower case", name)
		}
		if kind == "lab" && (len(parts) != 4 || !slices.Contains(facets, parts[1]) || Facet(name) != parts[1]) {
			t.Errorf("%s names no facet of a lab", name)
		}
		if kind != "lab" && len(parts) == 3 && Facet(name) != kind {
			t.Errorf("%s is of facet %s", name, Facet(name))
		}
		if other, ok := types[reflect.TypeOf(event)]; ok {
			t.Errorf("%T is stored as %s and as %s", event, name, other)
		}
		types[reflect.TypeOf(event)] = name
		if Name(event) != name {
			t.Errorf("%T is stored as %s, want %s", event, Name(event), name)
		}
	}
}

func TestEncodeNeedsStoredName(t *testing.T) {
	if _, err := Encode(Stream{"lab", sampleID(1)}, domain.Meta{}, domain.Correction{With: domain.Restated{Event: sample("lab.record.renamed.v1")}}); err == nil {
		t.Error("an event without a row in eventtypes.go is encoded")
	}
}

// TestEncodeDecode goes through every event type,
// with any of its fields absent and texts that look like formats.
func TestEncodeDecode(t *testing.T) {
	all := slices.Sorted(maps.Keys(eventTypes))
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.SampledFrom(all).Draw(t, "type")
		v := reflect.New(reflect.TypeOf(eventTypes[name].event)).Elem()
		v.Set(reflect.ValueOf(sample(name)))
		vary(t, v)
		e := v.Interface().(domain.Event)
		if s := e.Sentence(); s.Zh == "" || s.En == "" || strings.Contains(s.Zh+s.En, "%!") {
			t.Fatalf("%+v says %+v", e, s)
		}
		stream := Stream{strings.Split(name, ".")[0], sampleID(1)}
		p, err := Encode(stream, sampleMeta(name), e)
		if err != nil {
			t.Fatal(err)
		}
		d, err := Decode(p.Body)
		if err != nil || !cmp.Equal(d.Event, e, domaintest.Same) {
			t.Fatalf("%v\n%s", err, cmp.Diff(e, d.Event, domaintest.Same))
		}
		again, err := Encode(stream, d.Meta, d.Event)
		if err != nil || !bytes.Equal(again.Body, p.Body) {
			t.Fatalf("written differently the second time: %v\n%s\n%s", err, p.Body, again.Body)
		}
	})
}

// vary empties or rewrites some of what v holds.
func vary(t *rapid.T, v reflect.Value) {
	switch v.Interface().(type) {
	case domain.Restated, domain.Decimal, lab.Quantity, uuid.UUID:
		return
	}
	switch choice := rapid.IntRange(0, 5).Draw(t, v.Type().Name()); {
	case v.Kind() == reflect.Struct && v.NumField() > 0 && v.Type().Field(0).IsExported():
		for i := range v.NumField() {
			vary(t, v.Field(i))
		}
	case choice == 0:
		v.SetZero()
	case choice == 1 && v.Kind() == reflect.String:
		v.SetString(rapid.SampledFrom([]string{"100%", "%d%s%[9]d", "“”", "\u0000", "𠮷", "\\\"", "<a&b>\u2028"}).Draw(t, "text"))
	case v.Kind() == reflect.Slice:
		v.Set(reflect.AppendSlice(reflect.MakeSlice(v.Type(), 0, v.Len()), v)) // the sample keeps its own
		for i := range v.Len() {
			vary(t, v.Index(i))
		}
	}
}

func FuzzDecode(f *testing.F) {
	for _, body := range bodies(f) {
		f.Add(body)
	}
	f.Add([]byte(`{"type":"lab.record.proposed.v1","time":"2024-02-29T00:00:00.000000Z","data":{}}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := Decode(body)
		if err != nil {
			return
		}
		kind, _, _ := strings.Cut(d.Type, ".")
		p, err := Encode(Stream{kind, sampleID(1)}, d.Meta, d.Event)
		if err != nil {
			t.Fatalf("decoded but cannot be encoded: %v", err)
		}
		again, err := Decode(p.Body)
		if err != nil || !cmp.Equal(d, again, domaintest.Same) {
			t.Fatalf("%v\n%s", err, cmp.Diff(d, again, domaintest.Same))
		}
	})
}

func TestDecodeRejectsForeign(t *testing.T) {
	body := string(bodies(t)["lab.record.corrected.v1"])
	for what, change := range map[string][2]string{
		"another version of the envelope": {`"specversion":"1.0"`, `"specversion":"0.3"`},
		"another aggregate's source":      {`"source":"/labs/`, `"source":"/entities/`},
		"no aggregate's source":           {`"source":"/labs/`, `"source":"/shelves/`},
		"a correction of another kind":    {`"with":{"type":"lab.`, `"with":{"type":"entity.`},
	} {
		changed := strings.Replace(body, change[0], change[1], 1)
		if changed == body {
			t.Fatalf("%s: the body does not hold %s", what, change[0])
		}
		if d, err := Decode([]byte(changed)); err == nil {
			t.Errorf("%s is decoded as %+v", what, d)
		}
	}
}
