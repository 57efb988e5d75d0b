package api

import (
	"context"
	"slices"

	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/programme"
)

// clauseRow maps one row of the programme (教技〔2014〕1号) to its commands, events
// and queries. A test checks the table against the document, the commands, the event
// names and the routes.
type clauseRow struct {
	Row      string `json:"row" doc:"C01 to C82"`
	Clause   string `json:"clause" doc:"Section of the document"`
	Quote    string `json:"quote" doc:"Word for word"`
	Commands string `json:"commands" doc:"What records it, with spaces between"`
	Events   string `json:"events" doc:"As what it is recorded, with spaces between"`
	Query    string `json:"query" doc:"Where it is read back"`
	Field    string `json:"field,omitempty" doc:"The member of the lab's document that holds it"`
	Rule     string `json:"rule" doc:"guard: a step is refused without it; raised: readiness and reports say what is missing; none: recorded only"`
}

// The queries of most rows.
const (
	oneLab       = "/v1/labs/{lab}"
	reviewsOf    = "/v1/labs/{lab}/reviews"
	oneProgramme = "/v1/programmes/{programme}"
)

const (
	instrument = "lab.record.instrument-adopted.v1"
	objectives = "lab.record.objective-set.v1 lab.record.indicator-reported.v1"
)

var clauses = []clauseRow{
	{"C01", "序", "依托高等学校整合提升并建设认定一批国际合作联合实验室", "propose", "lab.record.proposed.v1", oneLab, "host", ""},
	{"C02", "序", "在建设模式、科研组织、人才培养、考核评价等方面推进机制创新、改革试点", "declare-reform report-reform", "lab.record.reform-declared.v1 lab.record.reform-reported.v1", oneLab, "reforms", ""},
	{"C03", "序", "为落实《国家中长期教育改革和发展规划纲要（2010-2020年）》", "adopt-policy supersede-policy", "programme.policy-adopted.v1 programme.policy-superseded.v1", oneProgramme, "", ""},
	{"C04", "一", "以联合实验室为合作载体，以法人共建协议为机制保障，旨在建立机构对机构的国际合作新模式", "draft-agreement", "lab.agreement.drafted.v1", "/v1/labs/{lab}/agreements", "agreements", ""},
	{"C05", "一", "实质性、高水平、可持续", "classify-agreement renew-agreement", "lab.agreement.classified.v1 lab.agreement.renewed.v1", "/v1/labs/{lab}/agreements", "agreements", ""},
	{"C06", "一", "积极吸引汇聚国际创新力量和资源，集聚世界一流专家学者", "appoint-member report-headcount", "lab.record.member-appointed.v1 lab.record.headcount-reported.v1", oneLab, "members", ""},
	{"C07", "二", "到2020年", "adopt-policy", "programme.policy-adopted.v1", oneProgramme, "", ""},
	{"C08", "二", "选择高校优势学科和领域，依托国家级或水平相当的科技创新平台", "link-platform unlink-platform set-discipline", "lab.record.platform-linked.v1 lab.record.platform-unlinked.v1 lab.record.discipline-set.v1", oneLab, "platforms", ""},
	{"C09", "二", "择优整合提升和认定", "approve-establishment decline-establishment recognise", "lab.status.establishment-approved.v1 lab.status.establishment-declined.v1 lab.status.recognised.v1", "/v1/labs/{lab}/decisions/{event}", "moves", ""},
	{"C10", "二", "一是支撑形成一流学科", "set-objective report-indicator", objectives, oneLab, "objectives", ""},
	{"C11", "二", "二是承担国际前沿或重大需求科研任务", "set-objective report-indicator", objectives, oneLab, "objectives", ""},
	{"C12", "二", "三是汇聚国际一流创新人才", "set-objective report-indicator", objectives, oneLab, "objectives", ""},
	{"C13", "二", "四是充分利用国际化人才培养手段", "set-objective report-indicator", objectives, oneLab, "objectives", ""},
	{"C14", "二", "五是执行国际化运行机制、人才评聘、学术评价和支撑服务", "set-objective report-indicator", objectives, oneLab, "objectives", ""},
	{"C15", "三(一)", "中外合作双方应已签订法人间实质性合作协议", "sign-agreement amend-agreement terminate-agreement", "lab.agreement.signed.v1 lab.agreement.amendment-proposed.v1 lab.agreement.terminated.v1", "/v1/labs/{lab}/agreements", "agreements", ""},
	{"C16", "三(一)", "共建相对独立的科研实体", "attest-independence", "lab.record.independence-attested.v1", oneLab, "independence", ""},
	{"C17", "三(一)", "发展目标明确，实施方案可行", "adopt-plan", "lab.record.plan-adopted.v1", oneLab, "plans", ""},
	{"C18", "三(一)", "有相对稳定的资金来源", "pledge-commitment firm-up-commitment schedule-instalments", "lab.funding.pledged.v1 lab.funding.firmed.v1 lab.funding.scheduled.v1", "/v1/labs/{lab}/commitments", "commitments", ""},
	{"C19", "三(一)", "中方申请单位（高校）相关学科应是国家重点学科和特色优势学科，建有国家重点实验室或教育部重点实验室等科研平台", "evidence-discipline link-platform", "lab.record.discipline-evidenced.v1 lab.record.platform-linked.v1", oneLab, "discipline_statuses", ""},
	{"C20", "三(一)", "外方合作单位（高校或科研院所）应在相关领域具有世界一流或先进水平", "assess-partner", "lab.record.partner-assessed.v1", oneLab, "partner_standings", ""},
	{"C21", "三(一)", "并落实相对独立的研究机构承担共建任务", "designate-foreign-unit", "lab.record.foreign-unit-designated.v1", oneLab, "foreign_units", ""},
	{"C22", "三(二)", "瞄准基础性、前沿性、战略性问题", "set-direction", "lab.record.direction-set.v1", oneLab, "directions", ""},
	{"C23", "三(二)", "强化学生互换和联合培养", "record-visit pair-supervisors", "lab.record.visit-recorded.v1 lab.record.supervisors-paired.v1", oneLab, "visits", ""},
	{"C24", "三(二)", "创新选拔聘用机制，延揽世界水平优秀人才和团队", "adopt-instrument appoint-member", instrument + " lab.record.member-appointed.v1", oneLab, "instruments", ""},
	{"C25", "三(二)", "鼓励引进国际先进的管理运行模式，营造开放、互动、稳定的国际化管理机制", "adopt-instrument", instrument, oneLab, "instruments", ""},
	{"C26", "三(三)", "以评聘、考核、薪酬制度创新保障高水平、多元化、结构合理的创新团队建设", "adopt-instrument repeal-instrument", instrument + " lab.record.instrument-repealed.v1", oneLab, "instruments", ""},
	{"C27", "三(四)", "坚持把创新能力和学术影响力作为联合实验室评审认定的核心", "publish-indicator-system", "programme.indicator-system-published.v1", oneProgramme, "", ""},
	{"C28", "三(四)", "高起点、高水平、有特色、有实效的认定标准", "record-opinion", "lab.review.opinion-recorded.v1", reviewsOf, "reviews", ""},
	{"C29", "三(四)", "以宁缺毋滥为原则严控通过认定的数量", "decline-establishment decide-not-passed", "lab.status.establishment-declined.v1 lab.status.acceptance-not-passed.v1", "/v1/reports/decisions", "moves", ""},
	{"C30", "三(四)", "不设批次，不限时间，不定名额", "open-call submit-application", "programme.call-opened.v1 lab.status.application-submitted.v1", oneProgramme, "", ""},
	{"C31", "三(四)", "成熟一个认定一个", "issue-notice recognise", "programme.notice-issued.v1 lab.status.recognised.v1", "/v1/reports/notices", "", ""},
	{"C32", "三(四)", "经国内外专家现场论证，达到相关要求的即予立项建设", "invite-expert hold-site-argumentation", "lab.review.expert-invited.v1 lab.review.site-argumentation-held.v1", reviewsOf, "reviews", ""},
	{"C33", "四(一)", "确定相对稳定的研究领域和方向", "set-direction change-direction", "lab.record.direction-set.v1", oneLab, "directions", ""},
	{"C34", "四(一)", "共同设立种子基金，支持青年学者原创性研究", "establish-fund contribute-to-fund award-from-fund", "lab.record.fund-established.v1 lab.record.fund-contributed.v1 lab.record.fund-awarded.v1", oneLab, "funds", ""},
	{"C35", "四(一)", "积极发起、申请或参与国际和区域性的科研项目、大科学计划和大科学工程", "link-project", "lab.record.project-linked.v1", oneLab, "projects", ""},
	{"C36", "四(一)", "积极吸引和利用全球教育科技资源与社会资源", "pledge-commitment", "lab.funding.pledged.v1", "/v1/labs/{lab}/commitments", "commitments", ""},
	{"C37", "四(二)", "建立定期本科生访问、互换机制", "open-training-programme record-visit", "lab.record.training-programme-opened.v1 lab.record.visit-recorded.v1", oneLab, "visits", ""},
	{"C38", "四(二)", "实行研究生培养双导师制，双方机构联合培养，联合授予学位", "pair-supervisors award-joint-degrees", "lab.record.supervisors-paired.v1 lab.record.joint-degrees-awarded.v1", oneLab, "supervisions", ""},
	{"C39", "四(二)", "设立奖学金，接受国际学生申请学位教育", "establish-fund report-headcount", "lab.record.fund-established.v1 lab.record.headcount-reported.v1", oneLab, "funds", ""},
	{"C40", "四(二)", "设立青年创新基金，鼓励世界各国青年学生来实验室", "establish-fund award-from-fund", "lab.record.fund-established.v1 lab.record.fund-awarded.v1", oneLab, "funds", ""},
	{"C41", "四(二)", "各方成员每年应有一定数量的青年教师在对方机构进行学术交流访问", "record-visit file-annual-report", "lab.record.visit-recorded.v1 lab.record.annual-report-filed.v1", oneLab, "visits", ""},
	{"C42", "四(三)", "组建以合作双方高水平科研人员为主的学术带头人队伍", "appoint-member move-member end-member", "lab.record.member-appointed.v1 lab.record.member-moved.v1 lab.record.member-ended.v1", oneLab, "members", ""},
	{"C43", "四(三)", "引进其他国家学者到联合实验室长期工作", "appoint-member", "lab.record.member-appointed.v1", oneLab, "members", ""},
	{"C44", "四(三)", "建立访问学者制度，保持一定规模的国际流动研究人员", "adopt-instrument report-headcount", instrument + " lab.record.headcount-reported.v1", oneLab, "counts", ""},
	{"C45", "四(三)", "以科研方向和科研项目为牵引，招聘高水平博士后", "appoint-member", "lab.record.member-appointed.v1", oneLab, "members", ""},
	{"C46", "四(三)", "鼓励本科生尽早进入", "report-headcount", "lab.record.headcount-reported.v1", oneLab, "counts", ""},
	{"C47", "四(四)", "环境宽松、经费稳定", "schedule-instalments receive-contribution", "lab.funding.scheduled.v1 lab.funding.received.v1", "/v1/reports/funding", "commitments", ""},
	{"C48", "四(四)", "成立国际学术委员会或咨询委员会", "constitute-body appoint-member minute-meeting", "lab.record.body-constituted.v1 lab.record.member-appointed.v1 lab.record.meeting-minuted.v1", oneLab, "bodies", ""},
	{"C49", "四(四)", "聘请国际一流科学家担任实验室负责人", "appoint-member end-member", "lab.record.member-appointed.v1 lab.record.member-ended.v1", oneLab, "members", ""},
	{"C50", "四(四)", "逐步实行准聘——长聘制和年薪制", "adopt-instrument", instrument, oneLab, "instruments", ""},
	{"C51", "四(四)", "注重技术支撑队伍和管理服务队伍", "report-headcount", "lab.record.headcount-reported.v1", oneLab, "counts", ""},
	{"C52", "四(四)", "积极争取国内外大型企业、科研机构积极参与联合实验室建设", "amend-agreement sign-agreement withdraw-party succeed-party", "lab.agreement.amendment-signed.v1 lab.agreement.party-withdrew.v1 lab.agreement.party-succeeded.v1", "/v1/labs/{lab}/agreements", "agreements", ""},
	{"C53", "五", "分为培育组建、立项建设、验收认定三个步骤", "start-incubation approve-establishment recognise", "lab.status.incubation-started.v1 lab.status.establishment-approved.v1 lab.status.recognised.v1", "/v1/labs/{lab}/history", "moves", ""},
	{"C54", "五(一)", "签订法人间的合作协议", "sign-agreement", "lab.agreement.signed.v1", "/v1/labs/{lab}/agreements", "agreements", ""},
	{"C55", "五(一)", "落实建设任务，建立管理机构，制订整体实施方案", "assign-task establish-management-body adopt-plan", "lab.record.task-assigned.v1 lab.record.management-body-established.v1 lab.record.plan-adopted.v1", oneLab, "tasks", ""},
	{"C56", "五(一)", "明晰各方“责权利”", "add-right amend-right discharge-right waive-right record-breach cure-breach", "lab.rights.added.v1 lab.rights.amended.v1 lab.rights.discharged.v1 lab.rights.waived.v1 lab.rights.breached.v1 lab.rights.cured.v1", "/v1/labs/{lab}/matrix", "rights", ""},
	{"C57", "五(一)", "确定合作共建的联合实验室平台，开展科学研究、人才培养和机制创新", "start-incubation", "lab.status.incubation-started.v1", "/v1/labs/{lab}/readiness", "incubation_start", ""},
	{"C58", "五(一)", "要扩大联合实验室改革和运行的自主权", "grant-autonomy withdraw-autonomy", instrument + " lab.record.instrument-repealed.v1", oneLab, "instruments", ""},
	{"C59", "五(一)", "提供更加切实、有力的保障措施，并确保相关支持和政策及时、准确地落实到位", "promise-support deliver-support", "lab.record.support-promised.v1 lab.record.support-delivered.v1", oneLab, "support", ""},
	{"C60", "五(一)", "建立校内各部门间的协同工作机制", "adopt-instrument", instrument, oneLab, "instruments", ""},
	{"C61", "五(一)", "使之成为本校优先发展试验区和国际化人才特区", "adopt-instrument", instrument, oneLab, "instruments", ""},
	{"C62", "五(二)", "在培育组建2年以上并取得明显成效的基础上", "submit-application", "lab.status.application-submitted.v1", "/v1/labs/{lab}/readiness", "incubation_start", ""},
	{"C63", "五(二)", "对照立项评审指标体系进行自评", "complete-self-assessment", "lab.review.self-assessment-completed.v1", reviewsOf, "reviews", ""},
	{"C64", "五(二)", "经学校或省级主管部门正式向教育部推荐", "issue-recommendation withdraw-recommendation record-affiliation", "lab.review.recommendation-issued.v1 lab.review.recommendation-withdrawn.v1 lab.review.affiliation-recorded.v1", reviewsOf, "reviews", ""},
	{"C65", "五(二)", "提交《国际合作联合实验室建设申请书》", "freeze-package submit-application", "lab.review.package-frozen.v1 lab.status.application-submitted.v1", reviewsOf, "reviews", ""},
	{"C66", "五(二)", "教育部对照有关申报条件对申请书进行评审", "pass-formal-check return-application resubmit-application", "lab.status.formal-check-passed.v1 lab.status.application-returned.v1 lab.status.application-resubmitted.v1", reviewsOf, "reviews", ""},
	{"C67", "五(二)", "确定考察对象", "shortlist pass-over", "lab.status.shortlisted.v1 lab.status.not-shortlisted.v1", reviewsOf, "moves", ""},
	{"C68", "五(二)", "重点考察合作协议、组建基础、培育进展情况和未来3年发展规划", "assess-dimension", "lab.review.dimension-assessed.v1", reviewsOf, "reviews", ""},
	{"C69", "五(二)", "按照“一事一议”原则组织国内外专家现场考察情况确定立项建设单位", "hold-site-argumentation approve-establishment", "lab.review.site-argumentation-held.v1 lab.status.establishment-approved.v1", reviewsOf, "reviews", ""},
	{"C70", "五(二)", "实验室建设期为3年", "approve-establishment extend-construction", "lab.status.establishment-approved.v1 lab.status.construction-extended.v1", oneLab, "construction", ""},
	{"C71", "五(三)", "依托单位（高校）要加强对联合实验室的目标管理和阶段性评估", "set-stage-goal hold-stage-assessment", "lab.review.stage-goal-set.v1 lab.review.stage-assessment-held.v1", reviewsOf, "reviews", ""},
	{"C72", "五(三)", "统筹政策指导、经费支持和制度创新", "promise-support deliver-support", "lab.record.support-promised.v1 lab.record.support-delivered.v1", oneLab, "support", ""},
	{"C73", "五(三)", "建设期满达到验收标准的，可向教育部提出验收认定申请", "apply-for-acceptance", "lab.status.acceptance-applied.v1", "/v1/labs/{lab}/readiness", "reviews", ""},
	{"C74", "五(三)", "由教育部组织国际同行评估", "commission-peer-evaluation invite-expert record-opinion", "lab.status.peer-evaluation-commissioned.v1 lab.review.expert-invited.v1 lab.review.opinion-recorded.v1", reviewsOf, "reviews", ""},
	{"C75", "五(三)", "重点考察建设期间实验室的学科发展、科研成果、队伍汇聚、人才培养和管理运行等方面能力水平和国际化程度", "assess-cell", "lab.review.cell-assessed.v1", reviewsOf, "reviews", ""},
	{"C76", "五(三)", "在通过验收后正式开放运行", "pass-acceptance recognise open-lab issue-certificate", "lab.status.acceptance-passed.v1 lab.status.recognised.v1 lab.status.opened.v1 lab.review.certificate-issued.v1", reviewsOf, "reviews", ""},
	{"C77", "六", "教育部将集成各方支持措施和配套政策", "promise-support", "lab.record.support-promised.v1", oneLab, "support", ""},
	{"C78", "六", "高校是联合实验室建设的责任主体", "succeed-host", "lab.record.host-succeeded.v1", oneLab, "host", ""},
	{"C79", "六", "确保运行资金、实验室用房、仪器设备等运行保障资源投入到位", "pledge-commitment amend-commitment receive-contribution return-contribution fulfil-commitment cancel-commitment", "lab.funding.pledged.v1 lab.funding.amended.v1 lab.funding.received.v1 lab.funding.returned.v1 lab.funding.fulfilled.v1 lab.funding.cancelled.v1", "/v1/labs/{lab}/commitments", "commitments", ""},
	{"C80", "六", "积极拓展社会的投入渠道，形成多元化支持", "pledge-commitment", "lab.funding.pledged.v1", "/v1/labs/{lab}/commitments", "commitments", ""},
	{"C81", "六", "优化投入结构、提高投入效益，增强联合实验室自我发展的能力", "record-rate", "lab.record.rate-recorded.v1", "/v1/labs/{lab}/funding-structure", "rates", ""},
	{"C82", "六", "教育部将根据联合实验室建设情况，研究给予支持", "consider-ministry-support grant-ministry-support decline-ministry-support", "lab.record.ministry-support-considered.v1 lab.record.ministry-support-decided.v1", oneLab, "ministry_support", ""},
}

func (s *Server) registerClauses() {
	table(s, report("list-clauses", "/v1/clauses", "计划文件逐条：以何命令登记、记为何事件、在何处查询。", "The programme, clause by clause: what records it, as what, and where it is read"), s.listClauses)
}

func (s *Server) listClauses(context.Context, *struct{}) ([]clauseRow, error) {
	rows := slices.Clone(clauses)
	for i := range rows {
		rows[i].Rule = "none"
		_, ofLab := lab.Rules[rows[i].Row]
		_, ofProgramme := programme.Rules[rows[i].Row]
		switch {
		case slices.Contains(lab.RecordRules, rows[i].Row) && !guards(rows[i].Row):
			rows[i].Rule = "raised"
		case ofLab || ofProgramme:
			rows[i].Rule = "guard"
		}
	}
	return rows, nil
}

// guards reports whether a step of the status machine is refused for a rule.
func guards(rule string) bool {
	return slices.ContainsFunc(lab.Steps, func(s lab.Step) bool { return slices.Contains(s.Rules, rule) })
}
