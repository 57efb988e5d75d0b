package api_test

import (
	"strings"
	"testing"

	"github.com/jointlab/jointlab/domain"
)

func TestAccountIsComplete(t *testing.T) {
	w := newWorld(t)
	lab, _ := correctedLab(w)
	auditor := w.as(domain.Auditor)
	history := w.get("/v1/labs/"+lab+"/history", auditor) // newest first
	wrong, right := history.str("items.1.id"), history.str("items.0.id")
	for path, want := range map[string]string{
		"items.1.account.zh": `host@example.org（依托单位）代表清华大学：学科设为“环景科学”。变更：新增学科（环景科学）。事由：=HYPERLINK("http://x","y")。依据：校发〔2024〕3号，摘要 ` + digest + `。此后由事件 ` + right + ` 更正。`,
		"items.1.account.en": `host@example.org (host) for Tsinghua University: Set the discipline to “Enviromental Science”. Changed: discipline added (Enviromental Science). Reason: =HYPERLINK("http://x","y"). Basis: 校发〔2024〕3号, digest ` + digest + `. It was corrected later by event ` + right + `.`,
		"items.0.account.zh": `officer@example.org（项目官员）：更正此前的登记，应为：学科设为“环境科学”。变更：学科：环景科学 → 环境科学。事由：录入有误。更正事件 ` + wrong + `。`,
		"items.0.account.en": `officer@example.org (programme officer): Corrected an earlier entry, which should read: Set the discipline to “Environmental Science”. Changed: discipline: Enviromental Science → Environmental Science. Reason: 录入有误. It corrects event ` + wrong + `.`,
	} {
		if got := history.str(path); got != want {
			t.Errorf("%s\n is %s\nwant %s", path, got, want)
		}
	}
	if got := history.str("items.0.changes.0.path") + " " + history.str("items.0.changes.0.before") + " " + history.str("items.0.changes.0.after"); got != "discipline/zh 环景科学 环境科学" {
		t.Error(got)
	}
	signed := w.get("/v1/labs/"+lab+"/history?facet=agreement&limit=1", auditor)
	for path, want := range map[string]string{"items.0.account.zh": "协议 A1 · 生效日：无 → 2020-01-12", "items.0.account.en": "agreement A1, in force from: none → 2020-01-12"} {
		if got := signed.str(path); !strings.Contains(got, want) {
			t.Errorf("%s does not say %s", got, want)
		}
	}
	started := w.get("/v1/events?facet=status&changes=true", auditor)
	if !strings.Contains(started.str("items.0.account.zh"), "状态：筹备登记 → 培育组建") || !strings.Contains(started.str("items.0.account.en"), "status: proposed → incubating") {
		t.Error(started.text)
	}
	if r := w.get("/v1/events?facet=status", auditor); r.at("items.0.changes") != nil {
		t.Error("changes nobody asked for")
	}
	if r := w.get("/v1/events?changes=true&limit=101", auditor); r.StatusCode != 400 ||
		r.str("errors.0.path") != "query.limit" {
		t.Error(r.text)
	}
}
