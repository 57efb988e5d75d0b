package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-json-experiment/json/jsontext"
	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/eventstore"
)

// The demo registry is invented. Its universities do not exist, its USCCs lie
// in the administrative area 000000, and its other identifiers are under ZZ,
// a country code that ISO 3166-1 reserves for private use.

// demoSpace is the name space of the demo's ids.
var demoSpace = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://jointlab.org/demo"))

func demoEntity(name string) uuid.UUID { return uuid.NewSHA1(demoSpace, []byte("entity "+name)) }
func demoLab(n int) uuid.UUID          { return uuid.NewSHA1(demoSpace, fmt.Appendf(nil, "lab %d", n)) }

// demoActs maps roles to the legal entity that their printed tokens act for.
var demoActs = map[domain.Role]uuid.UUID{
	domain.Host: demoEntity("xuni"), domain.Director: demoEntity("xuni"), domain.Partner: demoEntity("muster"),
}

// demo sends the commands of the invented registry, each in the role that may
// send it. After the first error it sends nothing more.
type demo struct {
	ctx   context.Context
	r     *register
	today domain.Date
	as    map[string]client
	sent  int
	err   error
}

// loadDemo fills the register with the demo registry. Loading it again, or
// after it was interrupted, adds only what is missing.
func loadDemo(ctx context.Context, r *register) error {
	d := newDemo(ctx, r)
	if d.told() {
		return d.err
	}
	d.tell(len(demoStories))
	d.notice()
	return d.err
}

// told reports whether the folder holds the whole demo registry, whose last entry
// is the notice. An older version may have sent its commands in other roles.
func (d *demo) told() bool {
	stream := eventstore.Stream{Kind: "programme", ID: domain.ProgrammeID(lab.DefaultProgramme)}
	events, _, err := d.r.log.Load(d.ctx, stream, eventstore.Version{})
	d.err = err
	return err != nil || slices.ContainsFunc(events, func(e eventstore.Recorded) bool {
		return eventstore.TypeOf(e.Body) == "programme.notice-issued.v1"
	})
}

func newDemo(ctx context.Context, r *register) *demo {
	return &demo{ctx: ctx, r: r, today: domain.DateOf(r.now()), as: map[string]client{}}
}

// tell records what comes before the labs, and the first n of these.
func (d *demo) tell(n int) {
	d.entities()
	d.programme()
	for _, story := range demoStories[:n] {
		story(d)
	}
}

// ago returns the day so many years and days before today.
func (d *demo) ago(years, days int) domain.Date { return d.today.AddYears(-years).AddDays(-days) }

// send returns the event that followed, or uuid.Nil where it was recorded earlier.
func (d *demo) send(role domain.Role, forEntity uuid.UUID, path string, command any) uuid.UUID {
	if d.err != nil {
		return uuid.Nil
	}
	d.sent++
	who := string(role) + forEntity.String()
	c, ok := d.as[who]
	if !ok {
		if c, d.err = d.r.actingAs(role, "demo-"+string(role), forEntity); d.err != nil {
			return uuid.Nil
		}
		d.as[who] = c
	}
	a, err := c.send(d.ctx, path, fmt.Sprintf("demo-%d", d.sent), command)
	var p *problem
	if errors.As(err, &p) && p.Code == "idempotency-key-reused" {
		return uuid.Nil // loaded on another day, with that day's dates
	}
	if err != nil {
		d.err = fmt.Errorf("step %d, %s: %w", d.sent, path, err)
		return uuid.Nil
	}
	return a.Events[0].ID
}

// digest returns the digest of a document that does not exist.
func digest(of string, args ...any) string {
	return fmt.Sprintf("sha256:%x", sha256.Sum256(fmt.Appendf(nil, of, args...)))
}

func name(zh, en string) []domain.Name {
	return []domain.Name{
		{Text: zh, Lang: "zh", Kind: domain.Official},
		{Text: en, Lang: "en", Kind: domain.Official},
	}
}

func (d *demo) entities() {
	for _, e := range []struct {
		key, zh, en string
		kind        entity.Kind
		country     string
		scheme      domain.Scheme
		value       string
	}{
		{key: "xuni", zh: "虚构大学", en: "Fictional University", kind: entity.University, country: "CN", scheme: domain.USCC, value: "12000000DEM000014Q"},
		{key: "shili", zh: "示例理工大学", en: "Example University of Technology", kind: entity.University, country: "CN", scheme: domain.USCC, value: "12000000DEM000022K"},
		{key: "yangben", zh: "样本农林大学", en: "Sample University of Agriculture and Forestry", kind: entity.University, country: "CN", scheme: domain.USCC, value: "12000000DEM000030E"},
		{key: "muster", zh: "穆斯特大学（虚构）", en: "Musterstadt University (fictional)", kind: entity.University, country: "DE", scheme: "ZZ-DEMO", value: "DEMO-1"},
		{key: "kaku", zh: "架空大学（虚构）", en: "Kakū University (fictional)", kind: entity.University, country: "JP", scheme: "ZZ-DEMO", value: "DEMO-2"},
		{key: "fictive", zh: "虚拟城研究院（虚构）", en: "Institut de Villefictive (fictional)", kind: entity.ResearchInstitute, country: "FR", scheme: "ZZ-DEMO", value: "DEMO-3"},
		{key: "nowhere", zh: "乌有大学（虚构）", en: "University of Nowhere (fictional)", kind: entity.University, country: "GB", scheme: "ZZ-DEMO", value: "DEMO-4"},
		{key: "yanjiu", zh: "示例科学院（虚构）", en: "Example Academy of Sciences (fictional)", kind: entity.ResearchInstitute, country: "CN", scheme: "ZZ-DEMO", value: "DEMO-6"},
		{key: "ailleurs", zh: "他方大学（虚构）", en: "Université d'Ailleurs (fictional)", kind: entity.University, country: "CH", scheme: "ZZ-DEMO", value: "DEMO-7"},
		{key: "specimen", zh: "样品仪器公司（虚构）", en: "Specimen Instruments B.V. (fictional)", kind: entity.Company, country: "NL", scheme: "ZZ-DEMO", value: "DEMO-5"},
	} {
		d.send(domain.Officer, uuid.Nil, "/v1/entities/"+demoEntity(e.key).String()+"/register", entity.Register{
			Grounds: domain.Grounds{Reason: "invented for the demo registry"},
			Kind:    e.kind, Country: e.country, Names: name(e.zh, e.en),
			Identifiers: []entity.Assertion{{Identifier: domain.Identifier{Scheme: e.scheme, Value: e.value}, Source: "invented for the demo registry"}},
		})
	}
}

var demoProgramme = "/v1/programmes/" + domain.ProgrammeID(lab.DefaultProgramme).String()

// programme puts the document of 2014, an invented one of later with a call,
// and the sample tables on record.
func (d *demo) programme() {
	send := func(command string, body any) { d.send(domain.Officer, uuid.Nil, demoProgramme+"/"+command, body) }
	send("register-programme", programme.RegisterProgramme{
		Name: domain.T(lab.DefaultProgramme, "Plan for Joint International Research Laboratories"), Level: "ministry",
	})
	terms := domain.BuiltIn.Terms
	terms.Effective.From, terms.LegalBasis = domain.MustDate("2014-01-01"), []string{"国家中长期教育改革和发展规划纲要（2010-2020年）"}
	send("adopt-policy", programme.AdoptPolicy{Terms: terms})
	later := domain.Terms{
		Document: "示例教技〔0000〕2号", Title: domain.T("虚构的后续政策（演示）", "An invented policy that follows (demo)"), Rules: "2014",
		Effective: domain.Period{From: d.today.AddYears(1)}, IncubationYears: 2, ConstructionYears: 3, EvaluationYears: 5,
		Modes: []domain.Mode{domain.PlatformMode, domain.OverseasTeamMode}, ExcludesBases: true, ByCall: true,
	}
	send("adopt-policy", programme.AdoptPolicy{Terms: later})
	send("open-call", programme.OpenCall{Policy: later.Document, Call: domain.Call{
		Document: "示例教技厅函〔0000〕3号", Title: domain.T("虚构的申报通知（演示）", "An invented call (demo)"),
		Window: domain.Period{From: later.Effective.From.AddDays(30), To: later.Effective.From.AddDays(90)},
	}})
	send("supersede-policy", programme.SupersedePolicy{
		Document: terms.Document, By: later.Document, On: later.Effective.From,
	})
	send("publish-indicator-system", jsontext.Value(programme.SampleEstablishment))
	send("publish-indicator-system", jsontext.Value(programme.SampleAcceptance))
}

// notice makes the decisions on three labs known in one document.
func (d *demo) notice() {
	d.send(domain.Officer, uuid.Nil, demoProgramme+"/issue-notice", programme.IssueNotice{
		Document: "示例教技函〔0000〕1号", Title: domain.T("关于公布认定结果的通知（演示）", "Notice of decisions (demo)"), On: d.today, Digest: digest("notice"),
		Decisions: []programme.Decision{
			{Lab: demoLab(5), Decision: "established"}, {Lab: demoLab(8), Decision: "not-passed"},
			{Lab: demoLab(9), Decision: "recognised"},
		},
	})
}

// demoStory is one invented lab while its events are recorded.
type demoStory struct {
	*demo
	path     string
	host     uuid.UUID
	partners []uuid.UUID
	start    domain.Date // of incubation
}

func (s demoStory) as(role domain.Role, command string, body any) uuid.UUID {
	acts := uuid.Nil
	if role == domain.Host {
		acts = s.host
	}
	return s.send(role, acts, s.path+"/"+command, body)
}

// by sends a command as the act of one of the parties.
func (s demoStory) by(party uuid.UUID, command string, body any) {
	role := domain.Partner
	if party == s.host {
		role = domain.Host
	}
	s.send(role, party, s.path+"/"+command, body)
}

// propose registers lab n.
func (d *demo) propose(
	n int, zh, en, host string, discipline domain.Text, start domain.Date, partners ...string,
) demoStory {
	s := demoStory{demo: d, path: "/v1/labs/" + demoLab(n).String(), host: demoEntity(host), start: start}
	for _, p := range partners {
		s.partners = append(s.partners, demoEntity(p))
	}
	s.as(domain.Host, "propose", lab.Propose{
		Level: lab.MinistryLevel, Names: name(zh, en), Host: s.host, Discipline: discipline,
	})
	return s
}

// agree drafts, signs and fills the founding agreement, to hold for so many
// years. It returns the last signature.
func (s demoStory) agree(years int) (last uuid.UUID) {
	text := digest("%s A1", s.path)
	parties := []lab.NewParty{{Entity: s.host, Role: lab.HostParty}}
	for _, p := range s.partners {
		role := lab.PartnerParty
		if p == demoEntity("specimen") {
			role = lab.EnterpriseParty
		}
		parties = append(parties, lab.NewParty{Entity: p, Role: role, Unit: "Institute for Invented Research"})
	}
	signed := s.start.AddDays(-30)
	s.as(domain.Host, "draft-agreement", lab.DraftAgreement{
		Title: domain.T("共建国际合作联合实验室协议", "Agreement on a Joint International Research Laboratory"),
		Class: lab.Substantive, Parties: parties, Term: domain.Period{From: signed, To: signed.AddYears(years)},
		Languages: []string{"zh", "en"}, GoverningLaw: "PRC / 中华人民共和国", Documents: []lab.Document{{Lang: "zh", Digest: text}},
	})
	for i, p := range parties {
		last = s.sign(demoSignature(p.Entity, i, signed, text))
		for _, item := range []struct {
			kind   lab.ItemKind
			clause string
			text   domain.Text
		}{
			{lab.Responsibility, "第4条", domain.T("按年度计划投入经费、人员和用房", "Provide funds, staff and premises as planned each year")},
			{lab.Right, "第6条", domain.T("委派管委会成员并查阅全部实验数据", "Appoint members of the board and see all data")},
			{lab.Interest, "第8条", domain.T("按贡献共享成果和知识产权", "Share results and intellectual property by contribution")},
		} {
			s.as(domain.Host, "add-right", lab.AddRight{
				Agreement: "A1",
				Kind:      item.kind,
				Party:     p.Entity,
				Clause:    item.clause,
				Text:      item.text,
			})
		}
	}
	return last
}

// sign has the party itself record its signature.
func (s demoStory) sign(signature lab.SignAgreement) uuid.UUID {
	role := domain.Partner
	if signature.Party == s.host {
		role = domain.Host
	}
	return s.send(role, signature.Party, s.path+"/sign-agreement", signature)
}

func demoSignature(party uuid.UUID, i int, on domain.Date, text string) lab.SignAgreement {
	return lab.SignAgreement{
		Agreement: "A1", Party: party, On: on, Document: text,
		Representative: domain.Person{Name: domain.Personal(fmt.Sprintf("示例代表 %d / Representative %d", i+1, i+1)), Title: "校长 / President"},
	}
}

// incubate begins incubation once the agreement is in force.
func (s demoStory) incubate() {
	s.as(domain.Host, "start-incubation", lab.StartIncubation{On: s.start})
}

// prepare records everything an application needs.
func (s demoStory) prepare() {
	on := s.start.AddDays(60)
	year := s.start.Year()
	s.as(domain.Host, "attest-independence", lab.AttestIndependence{
		On: on, Unit: domain.T("独立建制的研究中心", "a research centre of its own"), Budget: domain.T("单列预算", "a budget line of its own"),
		Premises: domain.T("实验楼 3 层", "third floor of the laboratory building"), Evidence: digest("%s independence", s.path),
	})
	s.as(domain.Host, "establish-management-body", lab.EstablishManagementBody{Name: domain.T("实验室管理委员会", "Laboratory Board"), On: on, Document: digest("%s board", s.path)})
	s.as(domain.Host, "adopt-plan", lab.AdoptPlan{
		Title: domain.T("整体实施方案", "Implementation plan"), On: on, FromYear: year + 1, ToYear: year + 3, Document: digest("%s plan", s.path),
	})
	s.as(domain.Host, "assign-task", lab.AssignTask{Text: domain.T("建成联合实验平台", "Build the joint platform"), Owner: s.host, Due: s.start.AddYears(2)})
	s.commit(s.host, lab.OwnFunds, cash("3000000", "CNY"))
	due := func(y int) domain.Date { return domain.NewDate(y, time.June, 30) }
	s.as(domain.Host, "schedule-instalments", lab.ScheduleInstalments{Commitment: "F1", Schedule: []lab.Instalment{
		{Due: due(year + 1), Quantity: cash("1000000", "CNY")}, {Due: due(year + 2), Quantity: cash("1000000", "CNY")}, {Due: due(year + 3), Quantity: cash("1000000", "CNY")},
	}})
	area := domain.MustDecimal("1200")
	s.commit(s.host, lab.OwnFunds, lab.Quantity{Premises: &area})
	s.commit(s.host, lab.OwnFunds, lab.Quantity{
		Equipment: &lab.Equipment{Items: 12, Value: domain.Money{Amount: domain.MustDecimal("8600000"), Currency: "CNY"}},
	})
	for i := range 3 {
		if on := due(year + 1 + i).AddDays(-5); !on.After(s.today) {
			s.as(domain.Host, "receive-contribution", lab.ReceiveContribution{
				Commitment: "F1", On: on, Quantity: cash("1000000", "CNY"), Evidence: digest("%s receipt %d", s.path, i),
			})
		}
	}
	s.as(domain.Host, "evidence-discipline", lab.EvidenceDiscipline{Discipline: domain.T("示例学科", "an example discipline"), Status: "national-key", On: on, Document: digest("%s discipline", s.path)})
	s.as(domain.Host, "link-platform", lab.LinkPlatform{Name: domain.T("示例教育部重点实验室", "Example Key Laboratory of the Ministry"), Level: "ministerial", Evidence: digest("%s platform", s.path)})
	s.aims(on)
	for i, n := range []string{"F1", "F2", "F3"} {
		s.as(domain.Host, "firm-up-commitment", lab.FirmUpCommitment{
			Commitment: n, On: on, Evidence: digest("%s firm %d", s.path, i),
		})
	}
}

func cash(amount, currency string) lab.Quantity {
	return lab.Quantity{Cash: &domain.Money{Amount: domain.MustDecimal(amount), Currency: currency}}
}

func (s demoStory) commit(party uuid.UUID, source lab.FundingSource, q lab.Quantity) {
	s.by(party, "pledge-commitment", lab.PledgeCommitment{
		Party: party, Source: source, Agreement: "A1", Quantity: q,
	})
}

// apply submits the application two years into incubation, with all that
// comes before it.
func (s demoStory) apply() domain.Date {
	on := s.start.AddYears(2).AddDays(10)
	s.as(domain.Officer, "record-affiliation", lab.RecordAffiliation{
		To: lab.ToMinistry, Evidence: digest("%s affiliation", s.path),
	})
	assessment := lab.CompleteSelfAssessment{
		On: on.AddDays(-8), System: "sample-1", Document: digest("%s self-assessment", s.path),
	}
	for _, id := range []string{"1.1", "1.2", "2.1", "2.2", "3.1", "3.2"} {
		assessment.Answers = append(assessment.Answers, lab.Answer{Indicator: id, Text: domain.T("已达到预期，详见附件", "As expected; see the annex")})
	}
	s.as(domain.Host, "complete-self-assessment", assessment)
	s.as(domain.Host, "freeze-package", lab.FreezePackage{On: on.AddDays(-5), Document: digest("%s application", s.path),
		Attachments: []lab.Attachment{{Title: "合作协议 / agreement", Digest: digest("%s A1", s.path)}}})
	s.as(domain.Host, "issue-recommendation", lab.IssueRecommendation{On: on.AddDays(-2), Issuer: s.host, Number: "示例校科〔0000〕1号", Document: digest("%s recommendation", s.path)})
	s.as(domain.Host, "submit-application", lab.SubmitApplication{
		Grounds: domain.Grounds{Basis: domain.Basis{Document: "示例校科〔0000〕1号"}},
		On:      on, Effect: domain.T("联合发表论文 40 篇，互访 60 人次", "40 joint papers, 60 exchange visits"), Document: digest("%s application", s.path),
	})
	return on
}

var ministryDocument = domain.Grounds{Basis: domain.Basis{Document: "示例教技函〔0000〕1号"}}

// establish takes the lab from its application to construction.
func (s demoStory) establish(applied domain.Date) domain.Date {
	s.as(domain.Agency, "pass-formal-check", lab.PassFormalCheck{On: applied.AddDays(20)})
	s.as(domain.Agency, "shortlist", lab.Shortlist{On: applied.AddDays(60)})
	on := applied.AddDays(120)
	s.assess(on.AddDays(-20))
	s.argue(on.AddDays(-10))
	s.as(domain.Ministry, "approve-establishment", lab.ApproveEstablishment{
		Grounds: ministryDocument, On: on, Construction: domain.Period{From: on.AddDays(10), To: on.AddDays(9).AddYears(3)},
	})
	return on
}

// assess looks at the four dimensions of an application.
func (s demoStory) assess(on domain.Date) {
	for _, dimension := range lab.ReviewDimensions {
		s.as(domain.Agency, "assess-dimension", lab.AssessDimension{On: on, Dimension: dimension, Text: domain.T("符合要求", "As required")})
	}
}

// invite invites experts who are affiliated with no party. They are numbered on
// from those there are.
func (s demoStory) invite(on domain.Date) {
	for _, e := range []string{"yanjiu", "ailleurs"} {
		s.as(domain.Agency, "invite-expert", lab.InviteExpert{On: on, Affiliations: []uuid.UUID{demoEntity(e)}, Declaration: digest("%s %s", s.path, e),
			Person: domain.Person{Name: "示例专家 / Expert", Title: "教授 / Professor"}})
	}
}

func (s demoStory) opine(on domain.Date, experts ...string) {
	for _, x := range experts {
		s.as(domain.Agency, "record-opinion", lab.RecordOpinion{
			On: on, Expert: x, Supports: true, Document: digest("%s %s opinion", s.path, x),
			Findings: lab.Findings{HighStart: domain.T("起点高", "It starts high"), HighLevel: domain.T("水平高", "Its level is high"),
				Distinctive: domain.T("特色鲜明", "It has a character of its own"), Effective: domain.T("成效明显", "It has effect")},
		})
	}
}

// argue has a domestic and a foreign expert argue the case on site.
func (s demoStory) argue(on domain.Date) {
	s.invite(on.AddDays(-5))
	s.as(domain.Agency, "hold-site-argumentation", lab.HoldSiteArgumentation{
		On: on, Present: []string{"Z1", "Z2"}, Minutes: digest("%s minutes", s.path),
	})
	s.opine(on, "Z1", "Z2")
}

// evaluate takes the lab through the end of construction to its peers.
func (s demoStory) evaluate(established domain.Date) domain.Date {
	on := established.AddDays(20).AddYears(3)
	s.as(domain.Host, "set-stage-goal", lab.SetStageGoal{Text: domain.T("建成联合实验平台", "Have the joint platform built"), Due: established.AddYears(2)})
	s.as(domain.Host, "hold-stage-assessment", lab.HoldStageAssessment{On: established.AddYears(2), Goals: []lab.GoalResult{{Goal: "H1", Reached: true}},
		Summary: domain.T("总体进展顺利", "Well on its way"), Document: digest("%s stage", s.path)})
	s.as(domain.Host, "apply-for-acceptance", lab.ApplyForAcceptance{
		On: on, Standard: "sample-1", Document: digest("%s acceptance", s.path),
	})
	s.invite(on.AddDays(10))
	s.as(domain.Ministry, "commission-peer-evaluation", lab.CommissionPeerEvaluation{
		Grounds: ministryDocument, On: on.AddDays(30),
	})
	for _, dimension := range domain.Dimensions {
		for _, axis := range lab.Axes {
			s.as(domain.Agency, "assess-cell", lab.AssessCell{
				On: on.AddDays(50), Dimension: dimension, Axis: axis, Text: domain.T("与建设目标比较", "Measured by the goals of construction"),
				Facts: []lab.CellFact{{On: established.AddYears(2), Text: domain.T("建设第二年的记录", "As recorded in the second year")}},
			})
		}
	}
	s.opine(on.AddDays(50), "Z3", "Z4")
	return on.AddDays(60)
}

// recognise has the lab pass, be recognised and open.
func (s demoStory) recognise(on domain.Date, certificate string) {
	s.as(domain.Ministry, "pass-acceptance", lab.PassAcceptance{Grounds: ministryDocument, On: on})
	s.as(domain.Ministry, "recognise", lab.Recognise{Grounds: ministryDocument, On: on, Certificate: certificate})
	s.as(domain.Ministry, "open-lab", lab.OpenLab{Grounds: ministryDocument, On: on.AddDays(30)})
}

// demoStories tell of one lab each, in order. They show every status between them.
var demoStories = []func(*demo){
	(*demo).proposed, (*demo).incubating, (*demo).returned, (*demo).withdrawn, (*demo).building,
	(*demo).due, (*demo).rectifying, (*demo).revoked, (*demo).operating, (*demo).closed,
}

// proposed tells of a lab that is only proposed.
func (d *demo) proposed() {
	d.propose(1, "量子虚拟材料国际合作联合实验室（演示）", "Joint International Research Laboratory of Imaginary Quantum Materials (demo)", "xuni",
		domain.T("物理学", "Physics"), d.today, "muster")
}

// incubating tells of a lab in incubation: a responsibility is overdue, a signature
// date was mistyped and corrected, and an amendment moved a due date.
func (d *demo) incubating() {
	s := d.propose(2, "水污染示例控制国际合作联合实验室（演示）", "Joint International Research Laboratory of Sample Water Pollution Control (demo)", "xuni",
		domain.T("环境科学与工程", "Environmental science and engineering"), d.ago(1, 200), "muster", "kaku")
	mistyped := s.agree(5)
	if mistyped != uuid.Nil {
		s.as(domain.Officer, "correct", map[string]any{
			"event": mistyped, "command": "sign-agreement", "reason": "the day was mistyped: the signed text says a day later · 签署日期录入有误",
			"input": demoSignature(demoEntity("kaku"), 2, s.start.AddDays(-29), digest("%s A1", s.path)),
		})
	} else {
		s.sent++ // the correction's own step
	}
	s.incubate()
	s.as(domain.Host, "add-right", lab.AddRight{
		Agreement: "A1", Kind: lab.Responsibility, Party: demoEntity("kaku"), Counterparty: s.host, Clause: "第5条第2款",
		Text: domain.T("交付水质监测原型机", "Deliver the prototype of the water monitor"), Due: d.ago(0, 40),
	})
	amendment := digest("%s amendment", s.path)
	s.as(domain.Host, "amend-agreement", lab.AmendAgreement{
		Agreement: "A1", Summary: domain.T("样品仪器公司加入；第4条到期日顺延", "Specimen Instruments accedes; the day in clause 4 moves"),
		Accede:    []lab.NewParty{{Entity: demoEntity("specimen"), Role: lab.EnterpriseParty}},
		Documents: []lab.Document{{Lang: "zh", Digest: amendment}},
	})
	for i, p := range []uuid.UUID{s.host, demoEntity("muster"), demoEntity("kaku"), demoEntity("specimen")} {
		sign := demoSignature(p, i, d.ago(0, 90-i), amendment)
		sign.Amendment = 1
		s.sign(sign)
	}
	s.as(domain.Host, "amend-right", lab.AmendRight{Item: "R1", Amendment: 1, Clause: "第4条", Text: domain.T("按修正后的年度计划投入经费、人员和用房", "Provide funds, staff and premises as planned in the amendment"), Due: d.today.AddDays(200)})
	s.commit(demoEntity("kaku"), lab.ForeignFunds, cash("45000000", "JPY"))
}

// returned tells of an application that was returned for supplement, handed in
// again, and is under review.
func (d *demo) returned() {
	s := d.propose(3, "智慧农业样本国际合作联合实验室（演示）", "Joint International Research Laboratory of Sample Smart Agriculture (demo)", "yangben",
		domain.T("作物学", "Crop science"), d.ago(3, 0), "nowhere")
	s.agree(8)
	s.incubate()
	s.prepare()
	applied := s.apply()
	s.as(domain.Agency, "return-application", lab.ReturnApplication{On: applied.AddDays(15), Ground: domain.T("请补充外方单位证明", "Supplement the evidence of the foreign unit")})
	s.as(domain.Host, "freeze-package", lab.FreezePackage{
		On: applied.AddDays(38), Document: digest("%s application 2", s.path),
	})
	s.as(domain.Host, "resubmit-application", lab.ResubmitApplication{On: applied.AddDays(40), Answer: domain.T("已补充证明", "Evidence supplemented"), Document: digest("%s application 2", s.path)})
	s.as(domain.Agency, "pass-formal-check", lab.PassFormalCheck{On: applied.AddDays(60)})
}

// withdrawn tells of a lab that was declined after the site visit, went back to
// incubation, and was withdrawn.
func (d *demo) withdrawn() {
	s := d.propose(4, "虚构海洋工程国际合作联合实验室（演示）", "Joint International Research Laboratory of Fictional Ocean Engineering (demo)", "shili",
		domain.T("船舶与海洋工程", "Naval architecture and ocean engineering"), d.ago(5, 0), "nowhere", "specimen")
	s.agree(10)
	s.incubate()
	s.prepare()
	applied := s.apply()
	s.as(domain.Agency, "pass-formal-check", lab.PassFormalCheck{On: applied.AddDays(20)})
	s.as(domain.Agency, "shortlist", lab.Shortlist{On: applied.AddDays(60)})
	s.assess(applied.AddDays(100))
	s.as(domain.Ministry, "decline-establishment", lab.DeclineEstablishment{Grounds: ministryDocument, On: applied.AddDays(120), Ground: domain.T("发展规划尚不成熟", "The development plan is not mature yet")})
	s.as(domain.Host, "resume-incubation", lab.ResumeIncubation{On: applied.AddDays(200)})
	s.as(domain.Host, "withdraw", lab.Withdraw{On: applied.AddDays(400), Ground: domain.T("合作重点调整", "The partners turned to another field")})
}

// building tells of a lab under construction, funded in three currencies.
func (d *demo) building() {
	s := d.propose(5, "架空地震工程国际合作联合实验室（演示）", "Joint International Research Laboratory of Imaginary Earthquake Engineering (demo)", "shili",
		domain.T("土木工程", "Civil engineering"), d.ago(4, 0), "kaku", "muster")
	s.agree(12)
	s.incubate()
	s.prepare()
	s.commit(demoEntity("kaku"), lab.ForeignFunds, cash("120000000", "JPY"))
	s.commit(demoEntity("muster"), lab.ForeignFunds, cash("850000.50", "EUR"))
	s.commit(s.host, lab.SocialFunds, cash("500000", "CNY"))
	s.as(domain.Host, "receive-contribution", lab.ReceiveContribution{
		Commitment: "F5", On: d.ago(2, 0), Quantity: cash("400000.25", "EUR"), Evidence: digest("%s EUR", s.path),
	})
	s.as(domain.Host, "return-contribution", lab.ReturnContribution{
		Commitment: "F5", On: d.ago(1, 300), Quantity: cash("100000.00", "EUR"), Evidence: digest("%s EUR back", s.path),
	})
	s.establish(s.apply())
}

// due tells of a lab whose construction period is over and that has not applied
// for acceptance.
func (d *demo) due() {
	s := d.propose(6, "示例大气科学国际合作联合实验室（演示）", "Joint International Research Laboratory of Example Atmospheric Science (demo)", "xuni",
		domain.T("大气科学", "Atmospheric science"), d.ago(7, 0), "fictive")
	s.agree(15)
	s.incubate()
	s.prepare()
	s.establish(s.apply())
}

// rectifying tells of a lab that the ministry asked for rectification.
func (d *demo) rectifying() {
	s := d.propose(7, "虚构显示技术国际合作联合实验室（演示）", "Joint International Research Laboratory of Fictional Display Technology (demo)", "shili",
		domain.T("电子科学与技术", "Electronic science and technology"), d.ago(7, 0), "specimen", "nowhere")
	s.agree(15)
	s.incubate()
	s.prepare()
	on := s.evaluate(s.establish(s.apply()))
	s.as(domain.Ministry, "require-rectification", lab.RequireRectification{Grounds: ministryDocument, On: on, By: d.today.AddDays(120), Ground: domain.T("国际学术委员会尚未履职", "The international academic committee does not meet yet")})
}

// revoked tells of a lab that did not pass and was revoked.
func (d *demo) revoked() {
	s := d.propose(8, "样本储能国际合作联合实验室（演示）", "Joint International Research Laboratory of Sample Energy Storage (demo)", "yangben",
		domain.T("动力工程及工程热物理", "Power engineering"), d.ago(9, 0), "muster")
	s.agree(15)
	s.incubate()
	s.prepare()
	on := s.evaluate(s.establish(s.apply()))
	s.as(domain.Ministry, "decide-not-passed", lab.DecideNotPassed{Grounds: ministryDocument, On: on, Ground: domain.T("建设目标未达成", "The goals of construction were not reached")})
	s.as(domain.Ministry, "revoke", lab.Revoke{Grounds: ministryDocument, On: on.AddDays(200), Ground: domain.T("逾期未再申请验收", "No second application in time")})
}

// operating tells of a lab that is recognised and open. It was suspended for a
// while; a party was renamed, and another succeeded.
func (d *demo) operating() {
	s := d.propose(9, "示例脑科学国际合作联合实验室（演示）", "Joint International Research Laboratory of Example Brain Science (demo)", "xuni",
		domain.T("生物学", "Biology"), d.ago(10, 0), "muster", "fictive")
	s.agree(20)
	s.incubate()
	s.prepare()
	on := s.evaluate(s.establish(s.apply()))
	s.recognise(on, "示例认字 0000-009")
	s.works()
	s.as(domain.Ministry, "suspend", lab.Suspend{Grounds: ministryDocument, On: on.AddDays(300), Ground: domain.T("一方停止投入", "A party stopped its contributions")})
	s.as(domain.Ministry, "resume", lab.Resume{Grounds: ministryDocument, On: on.AddDays(500)})
	d.send(domain.Officer, uuid.Nil, "/v1/entities/"+demoEntity("muster").String()+"/rename", entity.Rename{
		Grounds: domain.Grounds{Reason: "the university took a new name in this story"},
		Lang:    "en", Name: "Technical University of Musterstadt (fictional)", On: d.ago(1, 0).Partial(),
	})
	s.by(demoEntity("fictive"), "succeed-party", lab.SucceedParty{
		Agreement: "A1",
		Party:     demoEntity("fictive"),
		Successor: demoEntity("nowhere"),
		On:        d.ago(0, 300),
		Evidence:  digest("%s succession", s.path),
	})
}

// closed tells of a lab that was recognised and closed later.
func (d *demo) closed() {
	s := d.propose(10, "虚构考古科学国际合作联合实验室（演示）", "Joint International Research Laboratory of Fictional Archaeological Science (demo)", "shili",
		domain.T("考古学", "Archaeology"), d.ago(12, 0), "nowhere")
	s.agree(20)
	s.incubate()
	s.prepare()
	on := s.evaluate(s.establish(s.apply()))
	s.recognise(on, "")
	s.as(domain.Ministry, "issue-certificate", lab.IssueCertificate{On: on.AddDays(60), Number: "示例认字 0000-010", Document: digest("%s certificate", s.path)})
	s.as(domain.Ministry, "record-evaluation", lab.RecordEvaluation{On: on.AddDays(730), Result: domain.T("评估合格；建议并入示例脑科学国际合作联合实验室", "Satisfactory; it should become part of the brain science laboratory"), Document: digest("%s evaluation", s.path)})
	s.as(domain.Ministry, "close", lab.Close{Grounds: ministryDocument, On: on.AddDays(900), Ground: domain.T("任务完成，并入示例脑科学国际合作联合实验室", "Its task is done; it becomes part of the brain science laboratory"), MergedInto: demoLab(9)})
}
