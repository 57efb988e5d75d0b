package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/api"
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/programme"
)

const text = `{"zh":"符合要求","en":"as required"}`

// theProgramme is the path of the default programme.
var theProgramme = "/v1/programmes/" + domain.ProgrammeID(lab.DefaultProgramme).String()

// recordTables records the default programme with the two sample tables.
func (w *world) recordTables() {
	w.Helper()
	o := w.as(domain.Officer)
	w.done("/v1/programmes", o, `{"name":{"zh":"`+lab.DefaultProgramme+`"},"level":"ministry"}`)
	w.done(theProgramme+"/publish-indicator-system", o, string(programme.SampleEstablishment))
	w.done(theProgramme+"/publish-indicator-system", o, string(programme.SampleAcceptance))
}

// storied is a lab that a test advances over HTTP.
type storied struct {
	*world
	at                          string // its path
	host, partner, home, abroad string // home and abroad employ the experts
	experts                     int
}

func (s *storied) by(role domain.Role, command, body string) response {
	s.Helper()
	return s.done(s.at+"/"+command, s.token(role), body)
}

func (s *storied) token(role domain.Role) string {
	s.Helper()
	switch role {
	case domain.Host:
		return s.as(role, s.host)
	case domain.Partner:
		return s.as(role, s.partner)
	}
	return s.as(role)
}

// refused fails the test unless exactly these rules refuse the command, each quoted.
func (s *storied) refused(role domain.Role, command, body string, rules ...string) response {
	s.Helper()
	r := s.post(s.at+"/"+command, s.token(role), body)
	var got []string
	findings, _ := r.at("findings").([]any)
	for _, f := range findings {
		f := f.(map[string]any)
		id := f["rule"].(string)
		got = append(got, id)
		if f["quote"] != lab.Rules[id].Quote || f["clause"] != lab.Rules[id].Clause {
			s.Errorf("%s quotes %v of %v", id, f["quote"], f["clause"])
		}
	}
	slices.Sort(got)
	slices.Sort(rules)
	if r.StatusCode != http.StatusConflict || !slices.Equal(got, rules) {
		s.Errorf("%s: %s, refused by %v, want %v\n%s", command, r.Status, got, rules, r.text)
	}
	return r
}

func (s *storied) is(status lab.Status) {
	s.Helper()
	if r := s.get(s.at, s.token(domain.Auditor)); r.str("status") != string(status) {
		s.Errorf("the lab is %s, want %s", r.str("status"), status)
	}
}

func university(zh, en, country string) string {
	return fmt.Sprintf(`{"kind":"university","country":%q,"names":[{"text":%q,"lang":"zh","kind":"official"},`+
		`{"text":%q,"lang":"en","kind":"official"}]}`, country, zh, en)
}

// incubated returns a lab incubating since 2015-01-01 that meets every condition of an
// application.
func incubated(w *world) *storied {
	w.Helper()
	s := &storied{world: w}
	s.host, s.partner = w.parties()
	o := w.as(domain.Officer)
	s.home = w.done("/v1/entities", o, university("北京大学", "Peking University", "CN")).str("id")
	s.abroad = w.done("/v1/entities", o, university("苏黎世大学", "University of Zurich", "CH")).str("id")
	return incubatedBy(w, s)
}

// incubatedBy returns another such lab of legal entities that are registered.
func incubatedBy(w *world, s *storied) *storied {
	w.Helper()
	s.at = "/v1/labs/" + w.done("/v1/labs", s.token(domain.Host), proposal(s.host)).str("id")
	s.by(domain.Host, "draft-agreement", strings.NewReplacer("2020-01-01", "2015-01-01", `"role":"partner"`,
		`"role":"partner","unit":"IBG"`).Replace(agreement(s.host, s.partner)))
	s.by(domain.Host, "sign-agreement", signature(s.host, "2015-01-01"))
	s.by(domain.Partner, "sign-agreement", signature(s.partner, "2015-01-01"))
	for _, party := range []string{s.host, s.partner} {
		for _, kind := range []string{"responsibility", "right", "interest"} {
			s.by(domain.Officer,
				"add-right", fmt.Sprintf(`{"agreement":"A1","kind":%q,"party":%q,"clause":"§5","text":%s}`, kind, party,
					text))
		}
	}
	s.by(domain.Host, "start-incubation", `{"on":"2015-01-01"}`)
	s.by(domain.Host,
		"attest-independence",
		fmt.Sprintf(`{"on":"2015-03-01","unit":%[1]s,"budget_line":%[1]s,"premises":%[1]s,"evidence":%[2]q}`, text,
			digest))
	s.by(domain.Host, "establish-management-body",
		fmt.Sprintf(`{"on":"2015-03-01","name":%s,"document":%q}`, text, digest))
	s.by(domain.Host,
		"adopt-plan", fmt.Sprintf(`{"on":"2015-03-01","title":%s,"from_year":2017,"to_year":2017,"document":%q}`, text,
			digest))
	s.by(domain.Host, "assign-task", fmt.Sprintf(`{"text":%s,"owner":%q,"due":"2020-12-31"}`, text, s.host))
	s.by(domain.Host, "link-platform", fmt.Sprintf(`{"name":%s,"level":"national","evidence":%q}`, text, digest))
	s.by(domain.Host, "set-discipline", fmt.Sprintf(`{"discipline":%s}`, text))
	s.by(domain.Host,
		"evidence-discipline", fmt.Sprintf(`{"discipline":%s,"status":"national-key","on":"2015-03-01","document":%q}`,
			text, digest))
	s.by(domain.Ministry,
		"assess-partner", fmt.Sprintf(`{"party":%q,"level":"world-class","opinion":%s,"on":"2015-03-01"}`, s.partner,
			text))
	for _, kind := range []string{"discipline", "research", "team", "training", "management-operation",
		"management-appointment", "management-evaluation", "management-services"} {
		s.by(domain.Host,
			"set-objective",
			fmt.Sprintf(`{"kind":%q,"indicator":%[2]s,"unit":%[2]s,"baseline":"3","baseline_on":"2015-03-01",`+
				`"target":"10","due":"2020-12-31"}`, kind, text))
	}
	for i, q := range []string{`{"cash":{"amount":"100","currency":"CNY"}}`, `{"premises_m2":"800"}`,
		`{"equipment":{"items":3,"value":{"amount":"90","currency":"CNY"}}}`} {
		s.by(domain.Host, "pledge-commitment", `{"party":"`+s.host+`","source":"own","agreement":"A1","quantity":`+q+
			`}`)
		s.by(domain.Host, "firm-up-commitment", fmt.Sprintf(`{"commitment":"F%d","on":"2015-03-01","evidence":%q}`, i+1,
			digest))
	}
	s.by(domain.Host,
		"schedule-instalments",
		`{"commitment":"F1","schedule":[{"due":"2017-06-30","quantity":{"cash":{"amount":"100","currency":"CNY"}}}]}`)
	s.by(domain.Officer, "record-affiliation", fmt.Sprintf(`{"to":"ministry","evidence":%q}`, digest))
	return s
}

// submit hands in an application with its prerequisites.
func (s *storied) submit(on string) {
	s.Helper()
	var answers []string
	for _, id := range []string{"1.1", "1.2", "2.1", "2.2", "3.1", "3.2"} {
		answers = append(answers, fmt.Sprintf(`{"indicator":%q,"text":%s}`, id, text))
	}
	all := strings.Join(answers, ",")
	application := fmt.Sprintf(`{"on":%q,"effect":%s,"document":%q}`, on, text, digest)
	s.refused(domain.Host, "submit-application", application, "C63", "C64", "C65")
	s.refused(domain.Host, "complete-self-assessment",
		fmt.Sprintf(`{"on":%q,"system":"sample-1","answers":[%s],"document":%q}`, on, answers[0], digest), "C63")
	s.refused(domain.Host, "complete-self-assessment",
		fmt.Sprintf(`{"on":%q,"system":"2099","answers":[%s],"document":%q}`, on, all, digest), "C63")
	s.by(domain.Host,
		"complete-self-assessment", fmt.Sprintf(`{"on":%q,"system":"sample-1","answers":[%s],"document":%q}`, on, all,
			digest))
	s.by(domain.Host, "freeze-package", fmt.Sprintf(`{"on":%q,"document":%q,"attachments":[{"title":"协议","digest":%q}]}`, on, digest, digest))
	s.by(domain.Host, "issue-recommendation", fmt.Sprintf(`{"on":%q,"issuer":%q,"number":"校科〔2017〕3号","document":%q}`, on, s.host, digest))
	s.by(domain.Host, "submit-application", application)
	s.is(lab.StatusRecommended)
}

func (s *storied) dimensions(on string) {
	s.Helper()
	for _, d := range lab.ReviewDimensions {
		s.by(domain.Agency, "assess-dimension", fmt.Sprintf(`{"on":%q,"dimension":%q,"text":%s}`, on, d, text))
	}
}

// invite asks an expert from home and one from abroad.
func (s *storied) invite(on string) (home, abroad string) {
	s.Helper()
	for _, from := range []string{s.home, s.abroad} {
		s.by(domain.Agency, "invite-expert", fmt.Sprintf(`{"on":%q,"person":{"name":"王教授"},"affiliations":[%q],"declaration":%q}`, on, from, digest))
	}
	s.experts += 2
	return fmt.Sprintf("Z%d", s.experts-1), fmt.Sprintf("Z%d", s.experts)
}

func opinionOf(expert, on, effective string) string {
	return fmt.Sprintf(`{"on":%q,"expert":%q,"supports":true,"document":%q,"findings":{"high_start":%[4]s,`+
		`"high_level":%[4]s,"distinctive":%[4]s,"effective":%[5]s}}`, on, expert, digest, text, effective)
}

func (s *storied) establish(on string) {
	s.Helper()
	s.by(domain.Agency, "pass-formal-check", `{"on":"`+on+`"}`)
	s.by(domain.Agency, "shortlist", `{"on":"`+on+`"}`)
	approve := fmt.Sprintf(`{"on":%q,"construction":{"from":"2019-01-01"},"basis":{"document":"教技函〔2018〕9号"}}`, on)
	s.refused(domain.Ministry, "approve-establishment", approve, "C28", "C32", "C68", "C69")
	home, abroad := s.invite(on)
	s.refused(domain.Agency,
		"invite-expert", fmt.Sprintf(`{"on":%q,"person":{"name":"Schmidt"},"affiliations":[%q],"declaration":%q}`, on,
			s.partner, digest), "separation-of-duties")
	s.refused(domain.Agency, "hold-site-argumentation",
		fmt.Sprintf(`{"on":%q,"present":[%q],"minutes":%q}`, on, home, digest), "C32")
	s.by(domain.Agency, "hold-site-argumentation",
		fmt.Sprintf(`{"on":%q,"present":[%q,%q],"minutes":%q}`, on, home, abroad, digest))
	s.refused(domain.Agency, "record-opinion", opinionOf(abroad, on, `{}`), "C28")
	s.by(domain.Agency, "record-opinion", opinionOf(abroad, on, text))
	s.refused(domain.Ministry, "approve-establishment", approve, "C68")
	s.dimensions(on)
	s.by(domain.Ministry, "approve-establishment", approve)
	s.is(lab.StatusDue) // its three years, 2019 to 2021, are over
}

// evaluate applies for acceptance and has peers fill all ten cells.
func (s *storied) evaluate(applied, on string) {
	s.Helper()
	s.by(domain.Host, "apply-for-acceptance", fmt.Sprintf(`{"on":%q,"standard":"sample-1","document":%q}`, applied,
		digest))
	s.refused(domain.Agency, "commission-peer-evaluation", `{"on":"`+applied+`"}`, "C74")
	_, abroad := s.invite(applied)
	s.by(domain.Agency, "commission-peer-evaluation",
		fmt.Sprintf(`{"on":%q,"delegate":%q,"delegation":%q}`, applied, s.home, digest))
	s.by(domain.Agency, "record-opinion", opinionOf(abroad, on, text))
	cell := func(dimension, axis, fact string) string {
		return fmt.Sprintf(`{"on":%q,"dimension":%q,"axis":%q,"text":%[4]s,"facts":[{"on":%[5]q,"text":%[4]s}]}`, on,
			dimension, axis, text, fact)
	}
	s.refused(domain.Agency, "assess-cell", cell("discipline", "level", "2018-12-31"), "C75")
	for _, d := range domain.Dimensions {
		for _, x := range lab.Axes {
			s.refused(domain.Ministry, "pass-acceptance", `{"on":"`+on+`"}`, "C75")
			s.by(domain.Agency, "assess-cell", cell(string(d), string(x), "2019-01-01"))
		}
	}
	s.is(lab.StatusPeerEval)
}

func TestLabLifecycle(t *testing.T) {
	w := newWorld(t)
	w.recordTables()
	s := incubated(w)
	s.submit("2017-06-01")
	s.establish("2018-12-01")
	s.by(domain.Host, "set-stage-goal", `{"text":`+text+`,"due":"2020-06-30"}`)
	s.refused(domain.Host, "apply-for-acceptance",
		fmt.Sprintf(`{"on":"2022-01-10","standard":"sample-1","document":%q}`, digest), "C71")
	s.by(domain.Host,
		"hold-stage-assessment",
		fmt.Sprintf(`{"on":"2020-07-01","goals":[{"goal":"H1","reached":true}],"summary":%s,"document":%q}`, text,
			digest))
	s.refused(domain.Host, "apply-for-acceptance",
		fmt.Sprintf(`{"on":"2021-12-30","standard":"sample-1","document":%q}`, digest), "C73")
	s.evaluate("2022-01-10", "2022-03-01")
	s.refused(domain.Ministry, "recognise", `{"on":"2022-04-01"}`, "C76")
	s.by(domain.Ministry, "pass-acceptance", `{"on":"2022-04-01"}`)
	s.refused(domain.Ministry, "decide-not-passed", `{"on":"2022-04-01","ground":`+text+`}`, "C31")
	if r := s.post(s.at+"/open-lab", s.token(domain.Ministry), `{"on":"2022-04-01"}`); r.str("code") != "wrong-state" {
		t.Errorf("opened before recognition: %s", r.text)
	}
	s.by(domain.Ministry, "recognise", `{"on":"2022-04-02"}`)
	s.by(domain.Ministry, "issue-certificate", fmt.Sprintf(`{"on":"2022-04-03","number":"教技认〔2022〕1号","document":%q}`, digest))
	s.by(domain.Ministry, "open-lab", `{"on":"2022-05-01"}`)
	s.refused(domain.Ministry, "open-lab", `{"on":"2022-05-02"}`, "C76")
	s.is(lab.StatusOperating)

	r := s.get(s.at+"/reviews", s.token(domain.Auditor))
	for path, want := range map[string]any{
		"applications.0.outcome": "established", "applications.0.self_assessments.0.system.sample": true,
		"applications.0.packages.0.version":       1.0,
		"applications.0.recommendations.0.number": "校科〔2017〕3号", "applications.0.opinions.0.expert": "Z2", "applications.0.dimensions.3.dimension": "plan",
		"applications.0.policy": lab.Policy, "acceptances.0.outcome": "passed",
		"acceptances.0.standard.version": "sample-1", "acceptances.0.delegate.name.en": "Peking University",
		"acceptances.0.cells.9.axis": "internationalisation", "stage_assessments.0.goals.0.reached": true,
		"opened": "2022-05-01",
	} {
		if r.at(path) != want {
			t.Errorf("%s is %v, want %v", path, r.at(path), want)
		}
	}
	history := s.get(s.at+"/history?facet=review&facet=status&order=oldest&limit=100", s.token(domain.Auditor)).text
	for _, said := range []string{
		"依托单位对照指标体系第 sample-1 版", "召开国内外专家现场论证会", "the review assessed “the plan for the next three years”",
		"评估“管理运行”的国际化程度", "委托北京大学", "颁发认定证书 教技认〔2022〕1号", "the lab formally opened",
	} {
		if !strings.Contains(history, said) {
			t.Errorf("the history does not say %q", said)
		}
	}
	// A notice lists each lab once.
	o, id := w.as(domain.Officer), strings.TrimPrefix(s.at, "/v1/labs/")
	notice := func(decisions string) response {
		return w.post(theProgramme+"/issue-notice", o, `{"document":"教技函〔2022〕9号","title":`+text+`,"on":"2022-04-02","decisions":[`+decisions+`]}`)
	}
	decision := `{"lab":"` + id + `","decision":"recognised"}`
	if r := notice(decision + "," + decision); r.StatusCode != http.StatusConflict || r.str("findings.0.rule") != "C31" || r.str("findings.0.quote") != "成熟一个认定一个" {
		t.Errorf("twice: %s", r.text)
	}
	if r := notice(`{"lab":"` + uuid.NewString() + `","decision":"recognised"}`); r.StatusCode != 422 ||
		r.str("errors.0.path") != "decisions.lab" {
		t.Errorf("a lab nobody knows: %s", r.text)
	}
	if r := notice(decision); r.StatusCode != http.StatusOK || !strings.Contains(r.str("events.0.sentence.zh"), "环境国际合作联合实验室：认定") {
		t.Errorf("notice: %s", r.text)
	}
	// Notices are compared with the lab's own record.
	another := func(document, on, decision string) {
		w.done(theProgramme+
			"/issue-notice", o, fmt.Sprintf(`{"document":%q,"title":%s,"on":%q,"decisions":[{"lab":%q,"decision":%q}]}`,
			document, text, on, id, decision))
	}
	another("教技函〔2022〕1号", "2022-01-01", "recognised")
	another("教技函〔2022〕2号", "2022-04-02", "revoked")
	r = w.get("/v1/reports/notices?lab="+id, o)
	for i, want := range []string{"agrees", "after", "missing"} {
		at := fmt.Sprintf("items.%d.", i)
		if r.str(at+"recorded") != want || want != "missing" &&
			(r.str(at+"decided") != "2022-04-02" || r.str(at+"event") == "") {
			t.Errorf("notice %d: %s", i, r.text)
		}
	}
}

func TestLabSetbacks(t *testing.T) {
	w := newWorld(t)
	w.recordTables()
	s := incubated(w)
	s.submit("2017-01-10")
	s.by(domain.Agency, "return-application", `{"on":"2017-02-01","ground":`+text+`}`)
	again := fmt.Sprintf(`{"on":"2017-03-01","answer":%s,"document":%q}`, text, digest)
	s.refused(domain.Host, "resubmit-application", again, "C66")
	s.by(domain.Host, "freeze-package", fmt.Sprintf(`{"on":"2017-03-01","document":%q}`, digest))
	s.by(domain.Host, "resubmit-application", again)
	s.by(domain.Agency, "pass-formal-check", `{"on":"2017-03-10"}`)
	s.by(domain.Agency, "shortlist", `{"on":"2017-03-20"}`)
	s.refused(domain.Ministry, "decline-establishment", `{"on":"2017-04-01","ground":`+text+`}`, "C68")
	s.dimensions("2017-04-01")
	s.by(domain.Ministry, "decline-establishment", `{"on":"2017-04-01","ground":`+text+`}`)
	s.by(domain.Host, "resume-incubation", `{"on":"2017-05-01"}`)
	s.submit("2017-06-01") // with its own self-assessment, package and recommendation
	s.establish("2018-12-01")
	s.by(domain.Ministry, "extend-construction", `{"on":"2021-12-01","until":"2022-12-31","ground":`+text+`}`)
	s.by(domain.Host, "hold-stage-assessment", fmt.Sprintf(`{"on":"2020-07-01","summary":%s,"document":%q}`, text,
		digest))
	s.evaluate("2023-01-10", "2023-03-01")
	s.by(domain.Ministry, "require-rectification", `{"on":"2023-04-01","by":"2023-10-01","ground":`+text+`}`)
	s.evaluate("2023-09-01", "2023-10-01")
	s.by(domain.Ministry, "decide-not-passed", `{"on":"2023-11-01","ground":`+text+`}`)
	s.refused(domain.Host, "apply-for-acceptance",
		fmt.Sprintf(`{"on":"2023-12-01","standard":"sample-1","document":%q}`, digest), "C73")
	s.by(domain.Ministry, "revoke", `{"on":"2024-01-10","ground":`+text+`}`)
	s.is(lab.StatusRevoked)

	r := s.get(s.at+"/reviews", s.token(domain.Auditor))
	for path, want := range map[string]any{
		"applications.0.outcome": "declined", "applications.0.returns.0.on": "2017-02-01",
		"applications.0.submissions.1.package": 2.0,
		"applications.1.follows":               1.0, "applications.1.outcome": "established",
		"acceptances.0.outcome": "to-rectify",
		"acceptances.1.outcome": "not-passed", "acceptances.1.follows": 1.0,
	} {
		if r.at(path) != want {
			t.Errorf("%s is %v, want %v", path, r.at(path), want)
		}
	}
	history := s.get(s.at+"/history?facet=status&order=oldest&limit=100", s.token(domain.Auditor)).text
	for _, said := range []string{"申请退回补正", "补正后重新提交申请", "未获立项", "恢复培育组建", "建设期延长", "要求限期整改", "验收未通过", "its establishment was revoked"} {
		if !strings.Contains(history, said) {
			t.Errorf("the history does not say %q", said)
		}
	}
}

func TestSeparationOfDuties(t *testing.T) {
	w := newWorld(t)
	w.recordTables()
	s := incubated(w)
	s.submit("2017-06-01")
	token, err := w.signer.Issue(api.Claims{Subject: "host@example.org", Role: domain.Ministry},
		time.Hour) // a clerk who moved from the host to the ministry
	if err != nil {
		t.Fatal(err)
	}
	r := w.post(s.at+"/pass-formal-check", token, `{"on":"2017-06-10"}`)
	if r.StatusCode != http.StatusConflict || r.str("findings.0.rule") != "separation-of-duties" ||
		r.str("findings.0.clause") != lab.OwnReading || r.str("findings.0.quote") != "" ||
		!strings.Contains(r.str("findings.0.missing.0.en"), "host@example.org recorded the host's self-assessment") {
		t.Errorf("%s", r.text)
	}
	for _, c := range []struct {
		token string
		ready bool
	}{{token, false}, {w.as(domain.Ministry), true}} {
		for _, step := range w.get(s.at+"/readiness?on=2017-06-10", c.token).at("steps").([]any) {
			if step := step.(map[string]any); step["command"] == "pass-formal-check" && step["ready"] != c.ready {
				t.Errorf("readiness says %v to the one, want %v", step["ready"], c.ready)
			}
		}
	}
	s.by(domain.Ministry, "pass-formal-check", `{"on":"2017-06-10"}`)
}

func TestPolicyOfTheDay(t *testing.T) {
	w := newWorld(t)
	w.recordTables()
	s := incubated(w)
	o := w.as(domain.Officer)
	policy := `{"document":"教技〔2016〕5号","title":` + text + `,"effective":{"from":"2016-01-01"},"rules":"2014","incubation_years":1,"construction_years":4,"modes":["platform","overseas-team"],"by_call":true}`
	w.done(theProgramme+"/adopt-policy", o, policy)
	if r := w.post(theProgramme+"/adopt-policy", o, policy); r.StatusCode != http.StatusConflict || r.str("findings.0.rule") != "C03" || !strings.HasPrefix(r.str("findings.0.quote"), "为落实《国家中长期") {
		t.Errorf("adopted twice: %s", r.text)
	}
	w.done(theProgramme+"/open-call", o, `{"policy":"教技〔2016〕5号","document":"教技厅函〔2016〕7号","title":`+text+`,"window":{"from":"2016-05-01","to":"2016-06-30"}}`)
	readiness := func(on string) map[string]any {
		r := w.get(s.at+"/readiness?on="+on, o)
		for _, step := range r.at("steps").([]any) {
			if step := step.(map[string]any); step["command"] == "submit-application" {
				met := map[string]any{"policy": r.str("policy")}
				for _, f := range step["findings"].([]any) {
					met[f.(map[string]any)["rule"].(string)] = f.(map[string]any)["met"]
				}
				return met
			}
		}
		t.Fatal(r.text)
		return nil
	}
	if m := readiness("2015-12-31"); m["policy"] != lab.Policy || m["C30"] != true || m["C62"] != false {
		t.Errorf("2015: %v", m)
	}
	if m := readiness("2016-04-30"); m["policy"] != "教技〔2016〕5号" || m["C30"] != false || m["C62"] != true {
		t.Errorf("before the window: %v", m)
	}
	if m := readiness("2016-05-01"); m["C30"] != true {
		t.Errorf("in the window: %v", m)
	}
	mode := func(m string) string { return fmt.Sprintf(`{"on":"2016-05-02"%s,"document":%q}`, m, digest) }
	if r := w.post(s.at+"/freeze-package", s.token(domain.Host), mode("")); r.StatusCode != 422 ||
		r.str("errors.0.path") != "mode" {
		t.Errorf("no way to apply is chosen: %s", r.text)
	}
	s.by(domain.Host, "freeze-package", mode(`,"mode":"platform"`))
	history := w.get(s.at+"/history?limit=1", o)
	if history.str("items.0.policy") != "教技〔2016〕5号" || w.get(s.at+"/history?facet=status", o).str("items.0.policy") != lab.Policy {
		t.Errorf("the events do not say which policy held: %s", history.text)
	}
	if r := w.get(theProgramme+"?on=2016-05-01", o); r.str("policy.document") != "教技〔2016〕5号" || r.str("document.policies.0.calls.0.document") != "教技厅函〔2016〕7号" {
		t.Errorf("programme: %s", r.text)
	}
	if r := w.get("/v1/programmes?on=2015-01-01", o); r.str("items.0.policy") != lab.Policy ||
		r.str("items.0.name.zh") != lab.DefaultProgramme {
		t.Errorf("programmes: %s", r.text)
	}
	first := w.get(theProgramme+"/history?order=oldest", o)
	if first.str("items.0.type") != "programme.registered.v1" || first.str("items.1.sentence.zh") == "" {
		t.Errorf("history: %s", first.text)
	}
	// A provincial programme is separate, and a correction changes its policy.
	w.done("/v1/programmes", o, `{"name":{"zh":"江苏省国际合作联合实验室计划"},"level":"province"}`)
	if r := w.get("/v1/programmes", o); r.at("total") != 2.0 {
		t.Errorf("programmes: %s", r.text)
	}
	w.done(theProgramme+"/correct", o, fmt.Sprintf(`{"event":%q,"command":"adopt-policy","reason":"年限抄错","input":%s}`, first.str("items.3.id"), strings.Replace(policy, `"incubation_years":1`, `"incubation_years":3`, 1)))
	if m := readiness("2016-05-01"); m["C62"] != false {
		t.Errorf("after the correction: %v", m)
	}
}
