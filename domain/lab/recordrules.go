package lab

import (
	"slices"

	"github.com/google/uuid"

	"github.com/jointlab/jointlab/domain"
)

// RecordRules lists the rules about a lab's records, in the order of the
// programme. What a lab still owes of them is raised on any day, and nothing it
// records is refused for it; some of them an application must meet too.
var RecordRules = func() []string {
	var ids []string
	for _, r := range recordRules {
		ids = append(ids, r.ID)
	}
	return ids
}()

var recordRules = []Rule{
	{
		ID: "C02", Clause: "序", Quote: "在建设模式、科研组织、人才培养、考核评价等方面推进机制创新、改革试点",
		Text:  domain.T("建设模式、科研组织、人才培养、考核评价四方面均有改革措施", "a reform measure is declared in each of the four domains"),
		check: reformed,
	},
	{
		ID: "C08", Clause: "二", Quote: "选择高校优势学科和领域，依托国家级或水平相当的科技创新平台",
		Text:  domain.T("已设定学科，并关联有级别证明的平台", "the discipline is set and a platform is linked, with evidence of its level"),
		check: onPlatform,
	},
	{
		ID: "C10", Clause: "二", Quote: "一是支撑形成一流学科，引领新兴、交叉发展方向，学科实力达到国际一流水平",
		Text:  domain.T("学科目标有指标、基线和目标值", "the discipline objective has an indicator, a baseline and a target"),
		check: objectives(DisciplineObjective),
	},
	{
		ID: "C11", Clause: "二", Quote: "二是承担国际前沿或重大需求科研任务，持续产出国际学术界公认具有重大科学价值的原始创新成果，学术影响力进入国际一流",
		Text:  domain.T("科研目标有指标、基线和目标值", "the research objective has an indicator, a baseline and a target"),
		check: objectives(ResearchObjective),
	},
	{
		ID: "C12", Clause: "二", Quote: "三是汇聚国际一流创新人才，培养具有国际视野杰出创新能力的科学家，领军人才水平达到世界一流",
		Text:  domain.T("队伍目标有指标、基线和目标值", "the team objective has an indicator, a baseline and a target"),
		check: objectives(TeamObjective),
	},
	{
		ID: "C13", Clause: "二", Quote: "四是充分利用国际化人才培养手段，进一步提升人才培养能力，人才培养质量达到国际一流",
		Text:  domain.T("人才培养目标有指标、基线和目标值", "the training objective has an indicator, a baseline and a target"),
		check: objectives(TrainingObjective),
	},
	{
		ID: "C14", Clause: "二", Quote: "五是执行国际化运行机制、人才评聘、学术评价和支撑服务，实验室管理水平达到国际一流",
		Text:  domain.T("管理目标的四项机制均有指标、基线和目标值", "each of the four mechanisms of the management objective has an indicator, a baseline and a target"),
		check: objectives(OperationObjective, AppointmentObjective, EvaluationObjective, ServiceObjective),
	},
	{
		ID: "C19", Clause: "三(一)", Quote: "中方申请单位（高校）相关学科应是国家重点学科和特色优势学科，建有国家重点实验室或教育部重点实验室等科研平台",
		Text:  domain.T("学科地位有证明文件，且有国家级或部级平台", "a document shows the discipline's status, and there is a national or ministerial platform"),
		check: disciplineStatus(builtIn),
	},
	{
		ID: "C20", Clause: "三(一)", Quote: "外方合作单位（高校或科研院所）应在相关领域具有世界一流或先进水平",
		Text:  domain.T("外方合作单位是高校或科研院所，并经评估具有世界一流或先进水平", "the foreign partners are universities or research institutes, judged to be of world class or advanced standing"),
		check: partnerStandings,
	},
	{
		ID: "C21", Clause: "三(一)", Quote: "并落实相对独立的研究机构承担共建任务",
		Text:  domain.T("每一外方均已指定承担共建任务的研究机构", "each foreign partner has designated the institute that carries out its part"),
		check: unitsDesignated,
	},
	{
		ID: "C22", Clause: "三(二)", Quote: "瞄准基础性、前沿性、战略性问题",
		Text:  domain.T("有效的研究方向均属基础性、前沿性或战略性", "research directions hold, each tagged basic, frontier or strategic"),
		check: directed,
	},
	{
		ID: "C24", Clause: "三(二)", Quote: "创新选拔聘用机制，延揽世界水平优秀人才和团队",
		Text:  domain.T("已施行选拔聘用机制，并引进团队", "a hiring mechanism holds, and a team has been recruited"),
		check: both(adopted(HiringRules), posts(TeamLeader)),
	},
	{
		ID: "C25", Clause: "三(二)", Quote: "鼓励引进国际先进的管理运行模式，营造开放、互动、稳定的国际化管理机制",
		Text:  domain.T("已施行章程或议事规则", "a governance charter holds"),
		check: adopted(GovernanceCharter),
	},
	{
		ID: "C26", Clause: "三(三)",
		Quote: "以评聘、考核、薪酬制度创新保障高水平、多元化、结构合理的创新团队建设，以人才培养模式的创新保障人才培养质量，以资源配置方式和科研组织模式创新保障创新能力的提升",
		Text:  domain.T("评聘、考核、薪酬、培养、资源配置、科研组织六类制度均已施行", "instruments of all six kinds hold"),
		check: adopted(AppointmentRules, AssessmentRules, PayRules, TrainingRules, ResourceRules, OrganisationRules),
	},
	{
		ID: "C33", Clause: "四(一)", Quote: "确定相对稳定的研究领域和方向",
		Text:  domain.T("有有效的研究方向；变更须说明理由", "research directions hold; a change says why"),
		check: directed,
	},
	{
		ID: "C34", Clause: "四(一)", Quote: "共同设立种子基金，支持青年学者原创性研究",
		Text:  domain.T("至少两方已向种子基金出资", "at least two parties have paid into a seed fund"),
		check: seedFunded,
	},
	{
		ID: "C35", Clause: "四(一)", Quote: "积极发起、申请或参与国际和区域性的科研项目、大科学计划和大科学工程",
		Text:  domain.T("有发起、申请或参与的项目", "the lab has initiated, applied for or takes part in a project"),
		check: undertaking,
	},
	{
		ID: "C37", Clause: "四(二)", Quote: "建立定期本科生访问、互换机制",
		Text:  domain.T("有学生访问、互换项目，并有本科生访问", "an exchange programme runs, and undergraduates have gone"),
		check: exchanging,
	},
	{
		ID: "C38", Clause: "四(二)", Quote: "实行研究生培养双导师制，双方机构联合培养，联合授予学位",
		Text:  domain.T("有双方导师共同指导的研究生和联合学位项目", "graduate students have a supervisor on each side, and there is a joint degree"),
		check: jointlyTrained,
	},
	{
		ID: "C39", Clause: "四(二)", Quote: "设立奖学金，接受国际学生申请学位教育",
		Text:  domain.T("已设立奖学金，并统计攻读学位的国际学生", "there is a scholarship fund, and international degree students are counted"),
		check: both(funded(Scholarship), counts(InternationalStudents)),
	},
	{
		ID: "C40", Clause: "四(二)", Quote: "设立青年创新基金，鼓励世界各国青年学生来实验室开展创新研究",
		Text: domain.T("已设立青年创新基金", "there is a youth innovation fund"), check: funded(YouthFund),
	},
	{
		ID: "C41", Clause: "四(二)", Quote: "各方成员每年应有一定数量的青年教师在对方机构进行学术交流访问",
		Text:  domain.T("已结束的每一年度，每一方均有青年教师赴对方机构访问", "in each calendar year that is over, each party sent young teachers to the other side"),
		check: visited,
	},
	{
		ID: "C42", Clause: "四(三)", Quote: "组建以合作双方高水平科研人员为主的学术带头人队伍",
		Text:  domain.T("在任学术带头人中来自合作各方的过半数", "the parties employ the majority of the principal investigators in office"),
		check: partiesLead,
	},
	{
		ID: "C43", Clause: "四(三)", Quote: "引进其他国家学者到联合实验室长期工作",
		Text:  domain.T("有来自合作各方以外国家的学者长期任职", "a scholar from a country of no party holds a long-term post"),
		check: posts(ThirdCountry),
	},
	{
		ID: "C44", Clause: "四(三)", Quote: "建立访问学者制度，保持一定规模的国际流动研究人员",
		Text:  domain.T("已施行访问学者制度，并有国际流动研究人员", "a visiting-scholar system holds, and there are visiting researchers"),
		check: both(adopted(VisitingScholars), counts(VisitingResearchers)),
	},
	{
		ID: "C45", Clause: "四(三)", Quote: "以科研方向和科研项目为牵引，招聘高水平博士后研究人员",
		Text:  domain.T("有依托研究方向或项目招聘的博士后在任", "a postdoc recruited for a research direction or project is in office"),
		check: posts(Postdoc),
	},
	{
		ID: "C46", Clause: "四(三)", Quote: "加强学术团队建设，注重青年学者、研究生等科研后备力量的培养。鼓励本科生尽早进入联合实验室",
		Text:  domain.T("已统计青年学者、研究生和本科生", "young scholars, graduate students and undergraduates are counted"),
		check: counts(YoungScholars, GraduateStudents, UndergraduateStudents),
	},
	{
		ID: "C48", Clause: "四(四)", Quote: "成立国际学术委员会或咨询委员会",
		Text:  domain.T("已成立委员会，且至少一名在任成员来自国(境)外并不属于依托单位", "a committee is constituted, with at least one member in office from outside China and outside the host"),
		check: advised,
	},
	{
		ID: "C49", Clause: "四(四)", Quote: "聘请国际一流科学家担任实验室负责人",
		Text:  domain.T("有在任负责人；中外每方至多一名", "a director is in office; each side has one at most"),
		check: posts(DirectorPost),
	},
	{
		ID: "C50", Clause: "四(四)", Quote: "逐步实行准聘——长聘制和年薪制",
		Text:  domain.T("已施行准聘—长聘制和年薪制", "tenure track and annual salaries hold"),
		check: adopted(TenureTrack, AnnualSalary),
	},
	{
		ID: "C51", Clause: "四(四)", Quote: "注重技术支撑队伍和管理服务队伍的建设和发展",
		Text:  domain.T("已统计技术支撑人员和管理服务人员", "technical staff and management staff are counted"),
		check: counts(TechnicalStaff, ManagementStaff),
	},
	{
		ID: "C58", Clause: "五(一)", Quote: "要扩大联合实验室改革和运行的自主权",
		Text:  domain.T("依托单位已授予自主权", "the host has delegated powers to the lab"),
		check: adopted(DelegatedAutonomy),
	},
	{
		ID: "C59", Clause: "五(一)", Quote: "提供更加切实、有力的保障措施，并确保相关支持和政策及时、准确地落实到位",
		Text:  domain.T("支持措施均有期限，且无逾期未落实", "each support measure has a day it is due, and none is overdue"),
		check: supported,
	},
	{
		ID: "C60", Clause: "五(一)", Quote: "建立校内各部门间的协同工作机制",
		Text:  domain.T("已建立协同工作机制，明确参与部门和牵头单位", "a coordination mechanism names the departments that take part and the one that leads"),
		check: adopted(CoordinationRules),
	},
	{
		ID: "C61", Clause: "五(一)", Quote: "使之成为本校优先发展试验区和国际化人才特区",
		Text:  domain.T("已设为优先发展试验区和国际化人才特区", "the lab is designated a priority pilot zone and a special zone for international talent"),
		check: adopted(PilotZone, TalentZone),
	},
	{
		ID: "C72", Clause: "五(三)", Quote: "统筹政策指导、经费支持和制度创新",
		Text:  domain.T("依托单位在政策指导、经费支持和制度创新三方面均有支持措施", "the host has promised policy guidance, funding and institutional innovation"),
		check: hostSupports,
	},
	{
		ID: "C82", Clause: "六", Quote: "教育部将根据联合实验室建设情况，研究给予支持",
		Text:  domain.T("教育部投入仅以已决定给予的支持为限", "what is committed from the ministry goes no further than what it has granted"),
		check: ministryGranted,
	},
}

// both returns a check that is met where both are.
func both(a, b check) check {
	return func(l *Lab, on domain.Date) result {
		r, s := a(l, on), b(l, on)
		return result{missing: append(r.missing, s.missing...), proof: append(r.proof, s.proof...)}
	}
}

func reformed(l *Lab, on domain.Date) (r result) {
	for _, d := range reformDomains {
		i := slices.IndexFunc(l.Reforms, func(m ReformMeasure) bool { return m.Domain == d.kind && !m.On.After(on) })
		if i < 0 {
			r.lack("%s方面尚无改革措施", "no reform measure is declared for the %s", d.text)
		} else {
			r.proof = append(r.proof, l.Reforms[i].Event)
		}
	}
	return r
}

// linked returns the platforms of the given levels that are linked on a day, or
// of any level where none is given.
func (l *Lab) linked(on domain.Date, levels ...string) (linked []Platform) {
	for _, p := range l.Platforms {
		if (p.Unlinked.IsZero() || on.Before(p.Unlinked)) && (len(levels) == 0 || slices.Contains(levels, p.Level)) {
			linked = append(linked, p)
		}
	}
	return linked
}

func onPlatform(l *Lab, on domain.Date) (r result) {
	if l.Discipline.IsZero() {
		r.lack("尚未设定学科", "the discipline is not set")
	}
	for _, p := range l.linked(on) {
		r.proof = append(r.proof, p.Linked)
	}
	if len(r.proof) == 0 {
		r.lack("尚未关联平台", "no platform is linked")
	}
	return r
}

func objectives(kinds ...ObjectiveKind) check {
	return func(l *Lab, on domain.Date) (r result) {
		for _, k := range kinds {
			i := slices.IndexFunc(l.Objectives,
				func(o Objective) bool { return o.Kind == k && !o.BaselineOn.After(on) })
			if i < 0 {
				r.lack("“%s”目标尚无指标", "the objective “%s” has no indicator", k)
			} else {
				r.proof = append(r.proof, l.Objectives[i].Event)
			}
		}
		return r
	}
}

// disciplineStatus returns a check that is met by either status of the
// discipline: the document lists the two and does not require both of one
// discipline. A later policy may have several modes of application: on a platform
// of any public level, or by a team returned from overseas, which needs none.
func disciplineStatus(u RuleContext) check {
	return func(l *Lab, on domain.Date) (r result) {
		levels := []string{"national", "ministerial"}
		if a := l.application(); a != nil && a.frozen() != nil && len(u.Policy.Modes) > 0 {
			switch a.frozen().Mode {
			case domain.OverseasTeamMode:
				return r
			case domain.PlatformMode:
				levels = append(levels, "provincial")
			}
		}
		for _, d := range l.DisciplineStatuses {
			if !d.On.After(on) {
				r.proof = append(r.proof, d.Event)
			}
		}
		if len(r.proof) == 0 {
			r.lack("尚无国家重点学科或特色优势学科的证明", "no document shows a national key discipline or a featured one")
		}
		platforms := l.linked(on, levels...)
		if len(platforms) == 0 {
			r.lack("尚未关联国家级或部级平台", "no national or ministerial platform is linked")
		}
		free := slices.DeleteFunc(slices.Clone(platforms),
			func(p Platform) bool { return p.Base && u.Policy.ExcludesBases })
		if len(platforms) > 0 && len(free) == 0 {
			r.lack("%s已是国家国际科技合作基地，按现行政策不再计入", "%s already holds a national base for international cooperation, which the policy of the day leaves out", platforms[0].Name)
		}
		for _, p := range free {
			r.proof = append(r.proof, p.Linked)
		}
		return r
	}
}

// foreignPartners returns the foreign parties on a day that are partners, not
// enterprises, and adds to r where there is none.
func (l *Lab) foreignPartners(r *result, on domain.Date) []Party {
	ps := slices.DeleteFunc(l.boundOn(on), func(p Party) bool { return p.Entity.Side != domain.Foreign || p.Role == EnterpriseParty })
	if len(ps) == 0 {
		r.lack("%s 没有受协议约束的外方合作单位", "no foreign partner is bound by an agreement on %s", on)
	}
	return ps
}

func partnerStandings(l *Lab, on domain.Date) (r result) {
	for _, p := range l.foreignPartners(&r, on) {
		if !academic(p.Entity) {
			r.lack("%s不是高校或科研院所", "%s is no university or research institute", p.Entity.Name)
			continue
		}
		var last *PartnerStanding
		for i := range l.PartnerStandings {
			if s := &l.PartnerStandings[i]; p.is(s.Party.ID) && !s.On.After(on) &&
				(last == nil || !s.On.Before(last.On)) {
				last = s
			}
		}
		switch {
		case last == nil:
			r.lack("%s的水平尚未评估", "the standing of %s has not been judged", p.Entity.Name)
		case last.Level == "below":
			r.lack("%s经评估未达到世界先进水平", "%s was judged not to be of advanced standing", p.Entity.Name)
		default:
			r.proof = append(r.proof, last.Event)
		}
	}
	return r
}

func unitsDesignated(l *Lab, on domain.Date) (r result) {
	for _, p := range l.foreignPartners(&r, on) {
		i := slices.IndexFunc(l.ForeignUnits, func(u ForeignUnit) bool {
			return p.is(u.Party.ID) && !u.On.After(on) && (u.Replaced.IsZero() || on.Before(u.Replaced))
		})
		switch {
		case i >= 0:
			r.proof = append(r.proof, l.ForeignUnits[i].Event)
		case p.Unit != "": // the agreement names the unit itself
			for j := range l.Agreements {
				if a := &l.Agreements[j]; a.StatusOn(on) == InForce && a.party(p.Entity.ID) != nil {
					r.proof = append(r.proof, a.Evidence...)
				}
			}
		default:
			r.lack("%s尚未指定承担共建任务的研究机构", "%s has designated no institute that carries out its part", p.Entity.Name)
		}
	}
	return r
}

func directed(l *Lab, on domain.Date) (r result) {
	for _, d := range l.Directions {
		if d.Valid.Contains(on) {
			r.proof = append(r.proof, d.Event)
		}
	}
	if len(r.proof) == 0 {
		r.lack("%s 没有有效的研究方向", "no research direction holds on %s", on)
	}
	return r
}

func adopted(kinds ...InstrumentKind) check {
	return func(l *Lab, on domain.Date) (r result) {
		for _, k := range kinds {
			if n := l.instrument(k, on); n != nil {
				r.proof = append(r.proof, n.Event)
			} else {
				r.lack("%[2]s 尚未施行%[1]s", "not in effect on %[2]s: %[1]s", k, on)
			}
		}
		return r
	}
}

func posts(kind MemberKind) check {
	return func(l *Lab, on domain.Date) (r result) {
		for _, m := range l.inOffice(kind, on) {
			r.proof = append(r.proof, m.Event)
		}
		if len(r.proof) == 0 {
			r.lack("%[2]s 没有在任的%[1]s", "no %[1]s is in office on %[2]s", kind, on)
		}
		return r
	}
}

func counts(kinds ...CountKind) check {
	return func(l *Lab, on domain.Date) (r result) {
		for _, k := range kinds {
			if n := l.counted(k, on); n == nil || n.Number == 0 {
				r.lack("至 %[2]s 没有%[1]s的人数", "by %[2]s no %[1]s are counted", k, on)
			} else {
				r.proof = append(r.proof, n.Event)
			}
		}
		return r
	}
}

func seedFunded(l *Lab, on domain.Date) (r result) {
	most := 0
	for i := range l.Funds {
		f := &l.Funds[i]
		if f.Kind != SeedFund {
			continue
		}
		who, proof := f.paidBy(on)
		bound := l.boundOn(on)
		who = slices.DeleteFunc(who, func(e domain.EntityRef) bool {
			return !slices.ContainsFunc(bound, func(p Party) bool { return p.is(e.ID) })
		})
		if len(who) > most {
			most, r.proof = len(who), proof
		}
	}
	if most < 2 {
		r.proof = nil
		r.lack("至 %s 只有 %d 方向种子基金出资", "by %s only %d of the parties have paid into a seed fund", on, most)
	}
	return r
}

func funded(kind FundKind) check {
	return func(l *Lab, on domain.Date) (r result) {
		i := slices.IndexFunc(l.Funds, func(f Fund) bool { return f.Kind == kind && !f.On.After(on) })
		if i < 0 {
			r.lack("尚未设立%s", "there is no %s", fundKinds.text(kind))
		} else {
			r.proof = []uuid.UUID{l.Funds[i].Event}
		}
		return r
	}
}

func undertaking(l *Lab, on domain.Date) (r result) {
	for _, p := range l.Projects {
		if !p.Runs.From.After(on) {
			r.proof = append(r.proof, p.Event)
		}
	}
	if len(r.proof) == 0 {
		r.lack("尚无国际或区域性项目", "there is no international or regional project")
	}
	return r
}

// running returns a training programme of a kind that runs on a day, or nil.
func (l *Lab) running(kind TrainingKind, on domain.Date) *TrainingProgramme {
	for i := range l.Training {
		if p := &l.Training[i]; p.Kind == kind && p.Runs.Contains(on) {
			return p
		}
	}
	return nil
}

func exchanging(l *Lab, on domain.Date) (r result) {
	if p := l.running(StudentExchange, on); p != nil {
		r.proof = append(r.proof, p.Event)
	} else {
		r.lack("%s 没有学生访问、互换项目", "no exchange programme runs on %s", on)
	}
	i := slices.IndexFunc(l.Visits, func(v Visit) bool { return v.Kind == Undergraduates && !v.Stay.From.After(on) })
	if i < 0 {
		r.lack("尚无本科生访问", "no undergraduates have gone yet")
	} else {
		r.proof = append(r.proof, l.Visits[i].Event)
	}
	return r
}

func jointlyTrained(l *Lab, on domain.Date) (r result) {
	i := slices.IndexFunc(l.Supervisions, func(s Supervision) bool { return !s.From.After(on) })
	if i < 0 {
		r.lack("尚无双导师指导的研究生", "no graduate students have two supervisors")
	} else {
		r.proof = append(r.proof, l.Supervisions[i].Event)
	}
	if p := l.running(JointDegree, on); p != nil {
		r.proof = append(r.proof, p.Event)
	} else {
		r.lack("%s 没有联合学位项目", "no joint degree programme runs on %s", on)
	}
	return r
}

func visited(l *Lab, on domain.Date) (r result) {
	owed, proof := l.VisitsOwed(on)
	for _, o := range owed {
		r.lack("%[2]d 年%[1]s没有青年教师赴对方机构访问", "in %[2]d %[1]s sent no young teacher to the other side", o.Party.Name, o.Year)
	}
	r.proof = proof
	return r
}

func partiesLead(l *Lab, on domain.Date) (r result) {
	all, bound := l.inOffice(Investigator, on), l.boundOn(on)
	for _, m := range all {
		if at := m.AffiliationOn(on).ID; slices.ContainsFunc(bound, func(p Party) bool { return p.is(at) }) {
			r.proof = append(r.proof, m.Event)
		}
	}
	if len(all) == 0 {
		r.lack("%s 没有在任的学术带头人", "no principal investigator is in office on %s", on)
	} else if n := len(r.proof); 2*n <= len(all) {
		r.lack("%d 名在任学术带头人中只有 %d 名来自合作各方", "of %d principal investigators in office the parties employ %d", len(all), n)
	}
	return r
}

func advised(l *Lab, on domain.Date) (r result) {
	committees := map[string]uuid.UUID{}
	for _, b := range l.Bodies {
		if b.Kind != Board && !b.On.After(on) {
			committees[b.ID] = b.Event
			r.proof = append(r.proof, b.Event)
		}
	}
	if len(committees) == 0 {
		r.lack("尚未成立国际学术委员会或咨询委员会", "no international academic or advisory committee is constituted")
		return r
	}
	outside := false
	for _, m := range l.inOffice(CommitteeMember, on) {
		at := m.AffiliationOn(on)
		if _, ok := committees[m.Body]; ok && at.Side == domain.Foreign && at.ID != l.Host.ID {
			outside = true
			r.proof = append(r.proof, m.Event)
		}
	}
	if !outside {
		r.lack("%s 没有来自国(境)外且不属于依托单位的在任委员", "no member from outside China and outside the host is in office on %s", on)
	}
	return r
}

func supported(l *Lab, on domain.Date) (r result) {
	for i := range l.Support {
		s := &l.Support[i]
		switch {
		case s.On.After(on):
		case s.OverdueOn(on):
			r.lack("%[2]s承诺的措施 %[1]s 应于 %[3]s 落实，尚未落实", "measure %[1]s of %[2]s was due on %[3]s and is not there", s.ID, s.Provider.Name, s.Due)
		default:
			r.proof = append(r.proof, s.Event)
		}
	}
	if len(r.proof)+len(r.missing) == 0 {
		r.lack("尚无支持措施", "no support measure is promised")
	}
	return r
}

func hostSupports(l *Lab, on domain.Date) (r result) {
	for _, k := range []SupportKind{PolicySupport, FundingSupport, InstitutionSupport} {
		i := slices.IndexFunc(l.Support, func(s SupportMeasure) bool {
			return s.Provider.ID == l.Host.ID && s.Kind == k && !s.On.After(on)
		})
		if i < 0 {
			r.lack("依托单位尚无%s措施", "the host has promised no %s", k)
		} else {
			r.proof = append(r.proof, l.Support[i].Event)
		}
	}
	return r
}

func ministryGranted(l *Lab, on domain.Date) (r result) {
	for i := range l.Commitments {
		f := &l.Commitments[i]
		if f.Source != MinistryFunds || !f.firmOn(on) {
			continue
		}
		have, want := l.ministryFunds(f, f.Quantity, on)
		if have.covers(want) {
			r.proof = append(r.proof, f.Evidence...)
		} else {
			r.lack("至 %s 教育部已决定给予的支持为 %s，少于承诺的 %s", "by %s the ministry has granted %s, less than the %s committed", on, have, want)
		}
	}
	return r
}
