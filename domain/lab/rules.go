package lab

import (
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// Policy is the number of the document that the rules below quote. It holds where
// a programme has no policy on record.
const Policy = "教技〔2014〕1号"

// OwnReading replaces the section of a rule that the document implies and does
// not state. Such a rule has no quote.
const OwnReading = "本登记簿的解读 / the register's own reading"

// Rule is a condition of the programme. Commands and the readiness report run the
// same rules, so they cannot disagree.
type Rule struct {
	ID     string      // clause row, e.g. C62
	Clause string      // section of the document
	Quote  string      // word for word
	Text   domain.Text // the condition
	check  check
}

// check judges a lab on a day.
type check = func(l *Lab, on domain.Date) result

// result is the outcome of a rule, which is met where nothing is missing.
type result struct {
	missing  []domain.Text
	proof    []uuid.UUID
	earliest domain.Date
}

// lack adds what is missing.
func (r *result) lack(zh, en string, args ...any) {
	r.missing = append(r.missing, domain.Textf(zh, en, args...))
}

// find returns the finding of the rule for a lab on a day.
func (r Rule) find(l *Lab, on domain.Date) domain.Finding {
	res := r.check(l, on)
	return domain.Finding{
		Rule: r.ID, Clause: r.Clause, Quote: r.Quote, Text: r.Text,
		Met: len(res.missing) == 0, Missing: res.missing, Proof: res.proof, Earliest: res.earliest,
	}
}

// unmet returns the rule's finding where the command itself shows what is missing.
func (r Rule) unmet(missing ...domain.Text) domain.Finding {
	return domain.Finding{Rule: r.ID, Clause: r.Clause, Quote: r.Quote, Text: r.Text, Missing: missing}
}

// Rules are all rules by their ids.
var Rules = func() map[string]Rule {
	m := map[string]Rule{}
	for _, r := range slices.Concat([]Rule{
		{
			ID: "C01", Clause: "序", Quote: "依托高等学校整合提升并建设认定一批国际合作联合实验室",
			Text:  domain.T("依托单位是高校，并有统一社会信用代码", "the host is a university and has a USCC"),
			check: hostIsUniversity,
		},
		{
			ID: "C15", Clause: "三(一)", Quote: "中外合作双方应已签订法人间实质性合作协议",
			Text:  domain.T("当日有依托单位与至少一个外方法人签署且生效的实质性协议，各方均有有效标识", "a substantive agreement is in force that day, signed by the host and at least one foreign legal entity, and each party has a valid identifier"),
			check: substantiveAgreement,
		},
		{
			ID: "C16", Clause: "三(一)", Quote: "共建相对独立的科研实体",
			Text:  domain.T("依托单位已证明实验室有独立单元、经费科目和用房", "the host has attested the lab's own unit, budget line and premises"),
			check: independent,
		},
		{
			ID: "C17", Clause: "三(一)", Quote: "发展目标明确，实施方案可行",
			Text: domain.T("已通过整体实施方案", "an implementation plan is adopted"), check: planned,
		},
		{
			ID: "C18", Clause: "三(一)", Quote: "有相对稳定的资金来源",
			Text:  domain.T("方案期内每年都有已落实的现金投入", "a firm cash instalment falls due in each year of the plan's horizon"),
			check: stableFunding,
		},
		{
			ID: "C55", Clause: "五(一)", Quote: "落实建设任务，建立管理机构，制订整体实施方案",
			Text:  domain.T("建设任务有负责单位和期限，管理机构和实施方案均已就绪", "tasks have an owner and a day, and there are a management body and a plan"),
			check: organised,
		},
		{
			ID: "C56", Clause: "五(一)", Quote: "明晰各方“责权利”",
			Text:  domain.T("每一方至少各有一项责、权、利", "each party has at least one responsibility, one right and one interest"),
			check: matrixComplete,
		},
		{
			ID: "C57", Clause: "五(一)", Quote: "确定合作共建的联合实验室平台，开展科学研究、人才培养和机制创新",
			Text:  domain.T("培育组建开始之日协议已生效", "an agreement is in force on the day incubation begins"),
			check: agreementInForce,
		},
		{
			ID: "C62", Clause: "五(二)", Quote: "在培育组建2年以上并取得明显成效的基础上",
			Text:  domain.T("培育组建满规定的日历年数（2014 年文件为两年）", "the calendar years of incubation that the policy asks for have passed, two by the document of 2014"),
			check: incubated(builtIn),
		},
		{
			ID: "C73", Clause: "五(三)", Quote: "建设期满达到验收标准的，可向教育部提出验收认定申请",
			Text:  domain.T("建设期已满或立项决定允许提前验收；验收未通过的，须经允许方可再次申请", "the construction period is over, or the decision allows early acceptance; after a failed acceptance, the decision allows another"),
			check: constructionOver,
		},
		{
			ID: "C78", Clause: "六", Quote: "高校是联合实验室建设的责任主体",
			Text: domain.T("责任主体始终明确", "there is always a responsible host"), check: hosted,
		},
		{
			ID: "C79", Clause: "六", Quote: "确保运行资金、实验室用房、仪器设备等运行保障资源投入到位",
			Text:  domain.T("依托单位已落实运行资金、用房和设备三类投入", "the host has firm commitments of cash, premises and equipment"),
			check: hostResources,
		},
		{
			ID: "C28", Clause: "三(四)", Quote: "高起点、高水平、有特色、有实效的认定标准",
			Text:  domain.T("专家意见就四项标准逐一作出判断", "an expert's opinion judges each of the four criteria"),
			check: fourFindings,
		},
		{
			ID: "C30", Clause: "三(四)", Quote: "不设批次，不限时间，不定名额",
			Text:  domain.T("随时受理申请；当日施行的政策规定按通知申报的，须在申报时间内", "applications are taken at any time, or inside the window of a call where the policy in force takes them by call"),
			check: insideCall(builtIn),
		},
		{
			ID: "C31", Clause: "三(四)", Quote: "成熟一个认定一个",
			Text: domain.T("每次验收只作一次决定", "an acceptance is decided once"), check: undecided,
		},
		{
			ID: "C32", Clause: "三(四)", Quote: "经国内外专家现场论证，达到相关要求的即予立项建设",
			Text:  domain.T("现场论证有国内、国外专家各至少一人，且均无利益冲突", "at least one domestic and one foreign expert, free of conflicts of interest, argued the case on site"),
			check: sitePanel,
		},
		{
			ID: "C63", Clause: "五(二)", Quote: "对照立项评审指标体系进行自评",
			Text:  domain.T("已对照当日施行的指标体系逐项完成自评", "every indicator of a system in force that day is answered in a self-assessment"),
			check: selfAssessed,
		},
		{
			ID: "C64", Clause: "五(二)", Quote: "经学校或省级主管部门正式向教育部推荐",
			Text:  domain.T("教育部直属高校由学校推荐，其他高校由其主管部门推荐", "the host recommends the lab if it is the ministry's own, else the authority it answers to"),
			check: recommended,
		},
		{
			ID: "C65", Clause: "五(二)", Quote: "提交《国际合作联合实验室建设申请书》",
			Text:  domain.T("申报材料已按摘要固化", "the application package is frozen by its digests"),
			check: packageFrozen,
		},
		{
			ID: "C66", Clause: "五(二)", Quote: "教育部对照有关申报条件对申请书进行评审",
			Text:  domain.T("退回的申请补正后，以新一版申报材料重新提交", "a returned application comes back with a supplemented package"),
			check: supplemented,
		},
		{
			ID: "C68", Clause: "五(二)", Quote: "重点考察合作协议、组建基础、培育进展情况和未来3年发展规划",
			Text:  domain.T("决定前已考察四个方面", "all four dimensions are assessed before a decision"),
			check: fourDimensions,
		},
		{
			ID: "C69", Clause: "五(二)", Quote: "按照“一事一议”原则组织国内外专家现场考察情况确定立项建设单位",
			Text:  domain.T("决定前已现场考察", "the site was visited before the decision"),
			check: siteVisited,
		},
		{
			ID: "C71", Clause: "五(三)", Quote: "依托单位（高校）要加强对联合实验室的目标管理和阶段性评估",
			Text:  domain.T("申请验收前至少开展一次阶段性评估", "a stage assessment was held before acceptance is applied for"),
			check: stageAssessed,
		},
		{
			ID: "C74", Clause: "五(三)", Quote: "由教育部组织国际同行评估",
			Text:  domain.T("国际同行中至少有一名国外专家，且无利益冲突", "one of the international peers at least is foreign, and free of conflicts of interest"),
			check: foreignPeers,
		},
		{
			ID: "C75", Clause: "五(三)", Quote: "重点考察建设期间实验室的学科发展、科研成果、队伍汇聚、人才培养和管理运行等方面能力水平和国际化程度",
			Text:  domain.T("五个方面的能力水平和国际化程度均已评估，且只依据建设期内的事实", "each of the five dimensions is assessed on both axes, on facts of the construction period only"),
			check: tenCells,
		},
		{
			ID: "C76", Clause: "五(三)", Quote: "在通过验收后正式开放运行",
			Text:  domain.T("通过验收之后方可认定并开放运行", "recognition and opening come after acceptance was passed"),
			check: acceptancePassed,
		},
		{
			ID: "separation-of-duties", Clause: OwnReading,
			Text:  domain.T("登记依托单位提交材料的人不得登记对它的决定；隶属于任何一方的专家不得发表意见", "whoever recorded what a host handed in does not record the decision on it; an expert affiliated with a party gives no opinion"),
			check: separateDuties(builtIn),
		},
	}, recordRules) {
		m[r.ID] = r
	}
	return m
}()

// RuleContext is what some rules depend on besides the lab and the day: the policy
// in force and the actor. The checks of an actor are met for the zero Actor.
type RuleContext struct {
	Policy domain.Policy
	Actor  domain.Actor
}

var builtIn = RuleContext{Policy: domain.BuiltIn}

// contextualChecks make the checks of the rules that depend on a RuleContext.
var contextualChecks = map[string]func(RuleContext) check{
	"separation-of-duties": separateDuties, "C19": disciplineStatus, "C30": insideCall, "C62": incubated,
}

// JudgeUnder returns the findings of the named rules for a lab on a day, in that
// order. It panics on an id that names no rule.
func JudgeUnder(u RuleContext, l *Lab, on domain.Date, ids ...string) []domain.Finding {
	findings := make([]domain.Finding, len(ids))
	for i, id := range ids {
		r, ok := Rules[id]
		if !ok {
			panic(fmt.Sprintf("lab: no rule %s", id))
		}
		if contextual, ok := contextualChecks[id]; ok {
			r.check = contextual(u)
		}
		findings[i] = r.find(l, on)
	}
	return findings
}

func hostIsUniversity(l *Lab, _ domain.Date) (r result) {
	if l.Host.Kind != "university" {
		r.lack("登记簿未将%s记为高校", "the register does not have %s as a university", l.Host.Name)
	}
	if !slices.ContainsFunc(l.Host.Identifiers, func(id domain.Identifier) bool { return id.Scheme == domain.USCC }) {
		r.lack("%s最近一次登记或签署时没有统一社会信用代码；请先补登该代码，再更正那次登记或签署",
			"%s had no USCC when it was last named or last signed; register its code, then correct that entry",
			l.Host.Name)
	}
	return r
}

func hosted(l *Lab, _ domain.Date) (r result) {
	if l.Host.ID == uuid.Nil {
		r.lack("没有依托单位", "there is no host")
	}
	return r
}

// substantiveAgreement is met by a single agreement that meets every condition.
// Where none does, it returns what the one with the fewest faults lacks.
func substantiveAgreement(l *Lab, on domain.Date) (best result) {
	best.lack("没有协议", "there is no agreement")
	for i := range l.Agreements {
		var r result
		a := &l.Agreements[i]
		if a.Class != Substantive {
			r.lack("协议 %s 不是实质性协议", "agreement %s is not classified as substantive", a.ID)
		}
		a.notInForce(&r, on)
		bound := a.PartiesOn(on)
		if !slices.ContainsFunc(bound, func(p Party) bool { return p.Entity.ID == l.Host.ID }) {
			r.lack("依托单位不是协议 %s 的一方", "the host is not a party to agreement %s", a.ID)
		}
		if !slices.ContainsFunc(bound, func(p Party) bool { return p.Entity.Side == domain.Foreign }) {
			r.lack("协议 %s 没有外方", "agreement %s has no foreign party", a.ID)
		}
		for _, p := range bound {
			if len(p.Entity.Identifiers) == 0 {
				r.lack("%s没有有效标识", "%s has no valid identifier", p.Entity.Name)
			}
		}
		r.proof = a.Evidence
		if len(r.missing) > 1 {
			r.earliest = domain.Date{} // waiting alone would not do
		}
		if len(r.missing) == 0 {
			return r
		}
		if i == 0 || len(r.missing) < len(best.missing) {
			best = r
		}
	}
	best.proof = nil
	return best
}

// notInForce adds to r what keeps the agreement from being in force on a day.
func (a *Agreement) notInForce(r *result, on domain.Date) {
	st := a.StatusOn(on)
	switch {
	case st == InForce:
	case a.Ended == "" && a.InForceFrom.IsZero():
		for _, p := range a.bound() {
			if _, ok := a.signed(a.Signatures, p.Entity.ID); !ok {
				r.lack("%[2]s尚未签署协议 %[1]s", "%[2]s has not signed agreement %[1]s", a.ID, p.Entity.Name)
			}
		}
	case on.Before(a.InForceFrom):
		r.lack("协议 %s 自 %s 起方生效", "agreement %s comes into force on %s only", a.ID, a.InForceFrom)
		r.earliest = a.InForceFrom
	default:
		r.lack("协议 %[1]s 在 %[2]s 的状态为“%[3]s”", "on %[2]s agreement %[1]s is %[3]s", a.ID, on, st)
	}
}

func independent(l *Lab, on domain.Date) (r result) {
	if l.Independence == nil || l.Independence.On.After(on) {
		r.lack("依托单位尚未证明独立性", "the host has not attested the lab's independence")
		return r
	}
	r.proof = []uuid.UUID{l.Independence.Event}
	return r
}

func planned(l *Lab, on domain.Date) (r result) {
	p := l.planOn(on)
	if p == nil {
		r.lack("尚未通过整体实施方案", "no implementation plan is adopted")
		return r
	}
	r.proof = []uuid.UUID{p.Event}
	return r
}

func stableFunding(l *Lab, on domain.Date) (r result) {
	p := l.planOn(on)
	if p == nil {
		r.lack("尚无实施方案，无从判断各年资金", "there is no plan whose years could be judged")
		return r
	}
	funded := map[int]bool{}
	for i := range l.Commitments {
		f := &l.Commitments[i]
		if !f.firmOn(on) || f.Quantity.Cash == nil {
			continue
		}
		counts := false
		for _, s := range f.Schedule {
			if y := s.Due.Year(); p.FromYear <= y && y <= p.ToYear {
				funded[y], counts = true, true
			}
		}
		if counts {
			r.proof = append(r.proof, f.Evidence...)
		}
	}
	for y := p.FromYear; y <= p.ToYear; y++ {
		if !funded[y] {
			r.lack("%d 年没有已落实的现金投入", "no firm cash instalment is due in %d", y)
		}
	}
	return r
}

func organised(l *Lab, on domain.Date) (r result) {
	if len(l.Tasks) == 0 {
		r.lack("尚未落实建设任务", "no task is assigned")
	}
	for _, t := range l.Tasks {
		r.proof = append(r.proof, t.Event)
	}
	if b := l.ManagementBody; b == nil || b.Established.After(on) {
		r.lack("尚未建立管理机构", "no management body is established")
	} else {
		r.proof = append(r.proof, b.Event)
	}
	if p := l.planOn(on); p == nil {
		r.lack("尚未制订整体实施方案", "no implementation plan is adopted")
	} else {
		r.proof = append(r.proof, p.Event)
	}
	return r
}

func matrixComplete(l *Lab, on domain.Date) (r result) {
	inForce, seen := map[string]bool{}, map[uuid.UUID]bool{}
	var bound []Party
	for i := range l.Agreements {
		a := &l.Agreements[i]
		if a.StatusOn(on) != InForce {
			continue
		}
		inForce[a.ID] = true
		for _, p := range a.PartiesOn(on) {
			if !seen[p.Entity.ID] {
				seen[p.Entity.ID] = true
				bound = append(bound, p)
			}
		}
	}
	if len(bound) == 0 {
		r.lack("%s 没有生效的协议", "no agreement is in force on %s", on)
	}
	for _, p := range bound {
		for _, k := range ItemKinds {
			j := slices.IndexFunc(l.Rights, func(it Item) bool {
				waived := it.State == Waived && !it.Since.After(on)
				return it.Party.ID == p.Entity.ID && it.Kind == k && inForce[it.Agreement] && !waived
			})
			if j < 0 {
				r.lack("%s没有“%s”", "%s has no %s", p.Entity.Name, k)
			} else {
				r.proof = append(r.proof, l.Rights[j].Added)
			}
		}
	}
	return r
}

func agreementInForce(l *Lab, on domain.Date) (r result) {
	for i := range l.Agreements {
		if a := &l.Agreements[i]; a.StatusOn(on) == InForce {
			r.proof = a.Evidence
			return r
		}
	}
	r.lack("%s 没有生效的协议", "no agreement is in force on %s", on)
	return r
}

func incubated(u RuleContext) check {
	return func(l *Lab, on domain.Date) (r result) {
		if l.Incubation.IsZero() {
			if l.Status == StatusProposed {
				r.lack("尚未开始培育组建", "incubation has not begun")
			} else {
				r.lack("登记簿中没有培育组建的开始日；请更正据来源登记的状态，补充日期", "the register does not know when incubation began; correct the status taken from the source so that it gives a date")
			}
			return r
		}
		r.earliest = l.Incubation.Latest().AddYears(u.Policy.IncubationYears)
		if on.Before(r.earliest) {
			r.lack("培育组建自 %[1]s 起，最早 %[2]s 满 %[3]d 年", "incubation began on %[1]s; %[3]d years are complete on %[2]s", l.Incubation, r.earliest, u.Policy.IncubationYears)
		}
		for _, m := range l.Moves {
			if m.To == StatusIncubating {
				r.proof = []uuid.UUID{m.Event}
				break
			}
		}
		return r
	}
}

func constructionOver(l *Lab, on domain.Date) (r result) {
	if l.Status == StatusNotPassed && !l.MayReapply {
		r.lack("验收未通过的决定未允许再次申请", "the decision that acceptance was not passed does not allow another application")
	}
	if l.EarlyAllowed || l.Status != StatusConstruction {
		return r
	}
	if l.Construction.To.IsZero() {
		r.lack("登记簿中没有建设期的截止日", "the register does not know when the construction period ends")
		return r
	}
	r.earliest = l.Construction.To.Latest()
	if on.Before(r.earliest) {
		r.lack("建设期至 %s 届满，且未允许提前验收", "the construction period ends on %s, and early acceptance is not allowed", r.earliest)
	}
	return r
}

func hostResources(l *Lab, on domain.Date) (r result) {
	for _, k := range []struct {
		kind string
		name domain.Text
	}{{"cash", domain.T("运行资金", "running funds")}, {"premises", domain.T("实验室用房", "premises")}, {"equipment", domain.T("仪器设备", "equipment")}} {
		i := slices.IndexFunc(l.Commitments, func(f Commitment) bool {
			return f.Party.ID == l.Host.ID && f.Quantity.Kind() == k.kind && f.firmOn(on)
		})
		if i < 0 {
			r.lack("依托单位尚未落实%s", "the host has no firm commitment of %s", k.name)
		} else {
			r.proof = append(r.proof, l.Commitments[i].Evidence...)
		}
	}
	return r
}
