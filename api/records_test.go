package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/jointlab/jointlab/domain"
)

// TestLabRecordsRoundTrip sends every command on a lab's records, and reads each back
// from its query and from the history.
func TestLabRecordsRoundTrip(t *testing.T) {
	w := newWorld(t)
	host, partner := w.parties()
	officer := w.as(domain.Officer)
	third := w.done("/v1/entities", officer, strings.NewReplacer("Jülich Research Centre", "Third Institute",
		"02nv7yv05", "041nas322", `"DE"`, `"FR"`).Replace(foreignInstitute)).str("id")
	lab := w.incubating(host, partner, "2020-06-01")
	at := "/v1/labs/" + lab
	fill := strings.NewReplacer("HOST", `"`+host+`"`, "PARTNER", `"`+partner+`"`, "THIRD", `"`+third+`"`, "DIGEST", `"`+digest+`"`, "TEXT", `{"zh":"内容","en":"text"}`).Replace
	h, m, p := w.as(domain.Host, host), w.as(domain.Ministry), w.as(domain.Partner, partner)

	for _, c := range []struct{ token, command, body, kept string }{
		{h, "declare-reform", `{"domain":"training","text":TEXT,"on":"2021-01-01"}`, "reforms.0.domain"},
		{h, "report-reform", `{"reform":"E1","on":"2022-01-01","result":TEXT}`, "reforms.0.reports.0.on"},
		{h, "evidence-discipline", `{"discipline":TEXT,"status":"national-key","on":"2017-09-21","document":DIGEST}`,
			"discipline_statuses.0.status"},
		{m, "assess-partner", `{"party":PARTNER,"level":"world-class","opinion":TEXT,"on":"2022-01-01"}`,
			"partner_standings.0.level"},
		{p, "designate-foreign-unit", `{"party":PARTNER,"unit":TEXT,"on":"2022-01-01","document":DIGEST}`,
			"foreign_units.0.on"},
		{h,
			"set-objective",
			`{"kind":"team","indicator":TEXT,"unit":TEXT,"baseline":"3","baseline_on":"2021-01-01","target":"10",` +
				`"due":"2025-12-31"}`, "objectives.0.target"},
		{h, "report-indicator", `{"objective":"O1","on":"2022-01-01","value":"5","evidence":DIGEST}`,
			"objectives.0.readings.0.value"},
		{h, "set-direction", `{"name":TEXT,"tag":"frontier","valid":{"from":"2021-01-01"}}`, "directions.0.tag"},
		{h,
			"change-direction",
			`{"direction":"D1","name":TEXT,"tag":"strategic","valid":{"from":"2021-01-01"},"ground":TEXT}`,
			"directions.0.before.0.tag"},
		{h, "link-project", `{"name":TEXT,"kind":"project","role":"initiated","runs":{"from":"2021-01-01"}}`,
			"projects.0.role"},
		{h,
			"adopt-instrument",
			`{"kind":"coordination","title":TEXT,"on":"2021-01-01","document":DIGEST,"departments":[TEXT],"lead":TEXT}`,
			"instruments.0.departments.0.zh"},
		{h, "repeal-instrument", `{"instrument":"N1","on":"2022-01-01","ground":TEXT}`, "instruments.0.repealed"},
		{h, "grant-autonomy", `{"title":TEXT,"on":"2021-01-01","document":DIGEST,"powers":[TEXT]}`,
			"instruments.1.powers.0.en"},
		{h, "withdraw-autonomy", `{"instrument":"N2","on":"2022-01-01","ground":TEXT}`, "instruments.1.repealed"},
		{h, "constitute-body", `{"kind":"academic-committee","name":TEXT,"on":"2021-01-01","charter":DIGEST}`,
			"bodies.0.kind"},
		{h, "minute-meeting", `{"body":"B1","on":"2021-02-01","present":7,"decided":TEXT,"minutes":DIGEST}`,
			"bodies.0.meetings.0.minutes"},
		{h, "appoint-member", `{"kind":"director","person":{"name":"王芳"},"affiliation":HOST,"term":{"from":"2021-01-01"}}`, "members.0.side"},
		{h, "move-member", `{"member":"M1","affiliation":THIRD,"on":"2022-01-01"}`, "members.0.moves.0.from"},
		{h, "end-member", `{"member":"M1","on":"2023-01-01","ground":TEXT}`, "members.0.ended"},
		{h,
			"open-training-programme",
			`{"kind":"joint-degree","name":TEXT,"parties":[HOST,PARTNER],"runs":{"from":"2021-01-01"},` +
				`"document":DIGEST}`, "training_programmes.0.kind"},
		{h, "award-joint-degrees", `{"programme":"X1","on":"2023-06-01","level":"doctor","number":4,"evidence":DIGEST}`,
			"training_programmes.0.awards.0.level"},
		{p,
			"record-visit",
			`{"kind":"young-teacher","from":PARTNER,"to":HOST,"persons":3,"stay":{"from":"2021-03-01",` +
				`"to":"2021-05-31"}}`, "visits.0.direction"},
		{h, "pair-supervisors", `{"supervisors":[{"person":{"name":"李明"},"party":HOST},{"person":{"name":"Gauss"},"party":PARTNER}],"level":"doctor","students":3,"from":"2021-09-01"}`, "supervisions.0.level"},
		{h,
			"establish-fund",
			`{"kind":"seed","name":TEXT,"contributors":[HOST,PARTNER],"on":"2021-01-01","document":DIGEST}`,
			"funds.0.kind"},
		{h,
			"contribute-to-fund",
			`{"fund":"K1","contributor":PARTNER,"amount":{"amount":"100","currency":"EUR"},"on":"2021-02-01",` +
				`"evidence":DIGEST}`, "funds.0.paid.0.amount.amount"},
		{h,
			"award-from-fund",
			`{"fund":"K1","on":"2021-03-01","recipients":2,"amount":{"amount":"60","currency":"EUR"},` +
				`"purpose":TEXT,"evidence":DIGEST}`, "funds.0.awards.0.on"},
		{h, "record-rate", `{"from":"EUR","to":"CNY","rate":"7.8","on":"2021-01-04","source":"中国外汇交易中心"}`, "rates.0.rate"},
		{h, "report-headcount", `{"kind":"technical-staff","on":"2021-12-31","number":6}`, "counts.0.kind"},
		{h,
			"record-output",
			`{"kind":"paper","title":TEXT,"on":"2021-12-31","identifier":"10.1000/182","parties":[HOST,PARTNER]}`,
			"outputs.0.identifier"},
		{h, "found-spin-off", `{"name":TEXT,"on":"2021-12-31","evidence":DIGEST,"entity":THIRD}`,
			"spin_offs.0.entity.id"},
		{h, "file-annual-report", `{"year":2021,"on":"2022-01-31","summary":TEXT,"document":DIGEST}`,
			"annual_reports.0.on"},
		{h, "promise-support", `{"provider":HOST,"kind":"policy","text":TEXT,"on":"2021-01-01","due":"2021-06-30"}`,
			"support.0.due"},
		{h, "deliver-support", `{"support":"S1","on":"2021-06-01","evidence":DIGEST}`, "support.0.delivered"},
		{m, "consider-ministry-support", `{"text":TEXT,"on":"2021-01-01"}`, "ministry_support.0.on"},
		{m, "grant-ministry-support", `{"support":"G1","on":"2021-06-01","quantity":{"cash":{"amount":"50","currency":"CNY"}},"document":"教技函〔2021〕1号"}`, "ministry_support.0.decision"},
		{m, "consider-ministry-support", `{"text":TEXT,"on":"2022-01-01"}`, "ministry_support.1.on"},
		{m, "decline-ministry-support", `{"support":"G2","on":"2022-06-01","ground":TEXT}`,
			"ministry_support.1.decision"},
	} {
		sent := w.done(at+"/"+c.command, c.token, fill(c.body))
		if zh, en := sent.str("events.0.sentence.zh"), sent.str("events.0.sentence.en"); zh == "" || en == "" ||
			strings.Contains(zh+en, "%!") {
			t.Errorf("%s says %q, %q", c.command, zh, en)
		}
		if got := w.get(at, h).str("document." + c.kept); got == "" {
			t.Errorf("%s: nothing at document.%s", c.command, c.kept)
		}
		last := w.get(at+"/history?limit=1", w.as(domain.Auditor))
		if last.str("items.0.type") != sent.str("events.0.type") ||
			!strings.HasPrefix(sent.str("events.0.type"), "lab.record.") {
			t.Errorf("%s: the history ends with %s", c.command, last.str("items.0.type"))
		}
	}

	// A refusal by a clause quotes it; one for another's act names the owner.
	for _, c := range []struct{ token, command, body, rule, quote string }{
		{token: h, command: "change-direction", body: `{"direction":"D1","name":TEXT,"tag":"basic","valid":{"from":"2021-01-01"}}`, rule: "C33", quote: "确定相对稳定的研究领域和方向"},
		{token: h, command: "promise-support", body: `{"provider":HOST,"kind":"policy","text":TEXT,"on":"2021-01-01"}`, rule: "C59", quote: "提供更加切实、有力的保障措施，并确保相关支持和政策及时、准确地落实到位"},
		{token: h, command: "establish-fund", body: `{"kind":"seed","name":TEXT,"contributors":[HOST],"on":"2021-01-01","document":DIGEST}`, rule: "C34", quote: "共同设立种子基金，支持青年学者原创性研究"},
		{token: h, command: "appoint-member", body: `{"kind":"postdoc","person":{"name":"Noether"},"affiliation":THIRD,"term":{"from":"2023-01-01"}}`, rule: "C45", quote: "以科研方向和科研项目为牵引，招聘高水平博士后研究人员"},
		{token: officer, command: "succeed-host", body: `{"successor":THIRD,"on":"2024-01-01","evidence":DIGEST}`, rule: "C78", quote: "高校是联合实验室建设的责任主体"},
	} {
		r := w.post(at+"/"+c.command, c.token, fill(c.body))
		if r.StatusCode != http.StatusConflict || r.str("findings.0.rule") != c.rule ||
			r.str("findings.0.quote") != c.quote {
			t.Errorf("%s: %s %s", c.command, r.Status, r.text)
		}
	}
	for command, token := range map[string]string{"grant-ministry-support": h, "grant-autonomy": officer,
		"assess-partner": h, "succeed-host": h} {
		if r := w.post(at+"/"+command, token, `{}`); r.StatusCode != http.StatusForbidden {
			t.Errorf("%s: %s %s", command, r.Status, r.text)
		}
	}
	successor := w.done("/v1/entities", officer, strings.NewReplacer("清华大学", "复旦大学", "Tsinghua University", "Fudan University", "12100000400000624D", "12100000425006117P").Replace(chineseUniversity)).str("id")
	w.done(at+"/succeed-host", officer, `{"successor":"`+successor+`","on":"2024-01-01","evidence":"`+digest+`"}`)
	if got := w.get(at, officer).str("document.host.id"); got != successor {
		t.Errorf("the host is %s", got)
	}
}
