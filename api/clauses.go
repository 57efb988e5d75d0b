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
	{Row: "C01", Clause: "序", Quote: "依托高等学校整合提升并建设认定一批国际合作联合实验室", Commands: "propose", Events: "lab.record.proposed.v1", Query: oneLab, Field: "host"},
	{Row: "C02", Clause: "序", Quote: "在建设模式、科研组织、人才培养、考核评价等方面推进机制创新、改革试点", Commands: "declare-reform report-reform", Events: "lab.record.reform-declared.v1 lab.record.reform-reported.v1", Query: oneLab, Field: "reforms"},
	{Row: "C03", Clause: "序", Quote: "为落实《国家中长期教育改革和发展规划纲要（2010-2020年）》", Commands: "adopt-policy supersede-policy", Events: "programme.policy-adopted.v1 programme.policy-superseded.v1", Query: oneProgramme},
	{Row: "C04", Clause: "一", Quote: "以联合实验室为合作载体，以法人共建协议为机制保障，旨在建立机构对机构的国际合作新模式", Commands: "draft-agreement", Events: "lab.agreement.drafted.v1", Query: "/v1/labs/{lab}/agreements", Field: "agreements"},
	{Row: "C05", Clause: "一", Quote: "实质性、高水平、可持续", Commands: "classify-agreement renew-agreement", Events: "lab.agreement.classified.v1 lab.agreement.renewed.v1", Query: "/v1/labs/{lab}/agreements", Field: "agreements"},
	{Row: "C06", Clause: "一", Quote: "积极吸引汇聚国际创新力量和资源，集聚世界一流专家学者", Commands: "appoint-member report-headcount", Events: "lab.record.member-appointed.v1 lab.record.headcount-reported.v1", Query: oneLab, Field: "members"},
	{Row: "C07", Clause: "二", Quote: "到2020年", Commands: "adopt-policy", Events: "programme.policy-adopted.v1", Query: oneProgramme},
	{Row: "C08", Clause: "二", Quote: "选择高校优势学科和领域，依托国家级或水平相当的科技创新平台", Commands: "link-platform unlink-platform set-discipline", Events: "lab.record.platform-linked.v1 lab.record.platform-unlinked.v1 lab.record.discipline-set.v1", Query: oneLab, Field: "platforms"},
	{Row: "C09", Clause: "二", Quote: "择优整合提升和认定", Commands: "approve-establishment decline-establishment recognise", Events: "lab.status.establishment-approved.v1 lab.status.establishment-declined.v1 lab.status.recognised.v1", Query: "/v1/labs/{lab}/decisions/{event}", Field: "moves"},
	{Row: "C10", Clause: "二", Quote: "一是支撑形成一流学科", Commands: "set-objective report-indicator", Events: objectives, Query: oneLab, Field: "objectives"},
	{Row: "C11", Clause: "二", Quote: "二是承担国际前沿或重大需求科研任务", Commands: "set-objective report-indicator", Events: objectives, Query: oneLab, Field: "objectives"},
	{Row: "C12", Clause: "二", Quote: "三是汇聚国际一流创新人才", Commands: "set-objective report-indicator", Events: objectives, Query: oneLab, Field: "objectives"},
	{Row: "C13", Clause: "二", Quote: "四是充分利用国际化人才培养手段", Commands: "set-objective report-indicator", Events: objectives, Query: oneLab, Field: "objectives"},
	{Row: "C14", Clause: "二", Quote: "五是执行国际化运行机制、人才评聘、学术评价和支撑服务", Commands: "set-objective report-indicator", Events: objectives, Query: oneLab, Field: "objectives"},
	{Row: "C15", Clause: "三(一)", Quote: "中外合作双方应已签订法人间实质性合作协议", Commands: "sign-agreement amend-agreement terminate-agreement", Events: "lab.agreement.signed.v1 lab.agreement.amendment-proposed.v1 lab.agreement.terminated.v1", Query: "/v1/labs/{lab}/agreements", Field: "agreements"},
	{Row: "C16", Clause: "三(一)", Quote: "共建相对独立的科研实体", Commands: "attest-independence", Events: "lab.record.independence-attested.v1", Query: oneLab, Field: "independence"},
	{Row: "C17", Clause: "三(一)", Quote: "发展目标明确，实施方案可行", Commands: "adopt-plan", Events: "lab.record.plan-adopted.v1", Query: oneLab, Field: "plans"},
	{Row: "C18", Clause: "三(一)", Quote: "有相对稳定的资金来源", Commands: "pledge-commitment firm-up-commitment schedule-instalments", Events: "lab.funding.pledged.v1 lab.funding.firmed.v1 lab.funding.scheduled.v1", Query: "/v1/labs/{lab}/commitments", Field: "commitments"},
	{Row: "C19", Clause: "三(一)", Quote: "中方申请单位（高校）相关学科应是国家重点学科和特色优势学科，建有国家重点实验室或教育部重点实验室等科研平台", Commands: "evidence-discipline link-platform", Events: "lab.record.discipline-evidenced.v1 lab.record.platform-linked.v1", Query: oneLab, Field: "discipline_statuses"},
	{Row: "C20", Clause: "三(一)", Quote: "外方合作单位（高校或科研院所）应在相关领域具有世界一流或先进水平", Commands: "assess-partner", Events: "lab.record.partner-assessed.v1", Query: oneLab, Field: "partner_standings"},
	{Row: "C21", Clause: "三(一)", Quote: "并落实相对独立的研究机构承担共建任务", Commands: "designate-foreign-unit", Events: "lab.record.foreign-unit-designated.v1", Query: oneLab, Field: "foreign_units"},
	{Row: "C22", Clause: "三(二)", Quote: "瞄准基础性、前沿性、战略性问题", Commands: "set-direction", Events: "lab.record.direction-set.v1", Query: oneLab, Field: "directions"},
	{Row: "C23", Clause: "三(二)", Quote: "强化学生互换和联合培养", Commands: "record-visit pair-supervisors", Events: "lab.record.visit-recorded.v1 lab.record.supervisors-paired.v1", Query: oneLab, Field: "visits"},
	{Row: "C24", Clause: "三(二)", Quote: "创新选拔聘用机制，延揽世界水平优秀人才和团队", Commands: "adopt-instrument appoint-member", Events: instrument + " lab.record.member-appointed.v1", Query: oneLab, Field: "instruments"},
	{Row: "C25", Clause: "三(二)", Quote: "鼓励引进国际先进的管理运行模式，营造开放、互动、稳定的国际化管理机制", Commands: "adopt-instrument", Events: instrument, Query: oneLab, Field: "instruments"},
	{Row: "C26", Clause: "三(三)", Quote: "以评聘、考核、薪酬制度创新保障高水平、多元化、结构合理的创新团队建设", Commands: "adopt-instrument repeal-instrument", Events: instrument + " lab.record.instrument-repealed.v1", Query: oneLab, Field: "instruments"},
	{Row: "C27", Clause: "三(四)", Quote: "坚持把创新能力和学术影响力作为联合实验室评审认定的核心", Commands: "publish-indicator-system", Events: "programme.indicator-system-published.v1", Query: oneProgramme},
	{Row: "C28", Clause: "三(四)", Quote: "高起点、高水平、有特色、有实效的认定标准", Commands: "record-opinion", Events: "lab.review.opinion-recorded.v1", Query: reviewsOf, Field: "reviews"},
	{Row: "C29", Clause: "三(四)", Quote: "以宁缺毋滥为原则严控通过认定的数量", Commands: "decline-establishment decide-not-passed", Events: "lab.status.establishment-declined.v1 lab.status.acceptance-not-passed.v1", Query: "/v1/reports/decisions", Field: "moves"},
	{Row: "C30", Clause: "三(四)", Quote: "不设批次，不限时间，不定名额", Commands: "open-call submit-application", Events: "programme.call-opened.v1 lab.status.application-submitted.v1", Query: oneProgramme},
	{Row: "C31", Clause: "三(四)", Quote: "成熟一个认定一个", Commands: "issue-notice recognise", Events: "programme.notice-issued.v1 lab.status.recognised.v1", Query: "/v1/reports/notices"},
	{Row: "C32", Clause: "三(四)", Quote: "经国内外专家现场论证，达到相关要求的即予立项建设", Commands: "invite-expert hold-site-argumentation", Events: "lab.review.expert-invited.v1 lab.review.site-argumentation-held.v1", Query: reviewsOf, Field: "reviews"},
	{Row: "C33", Clause: "四(一)", Quote: "确定相对稳定的研究领域和方向", Commands: "set-direction change-direction", Events: "lab.record.direction-set.v1", Query: oneLab, Field: "directions"},
	{Row: "C34", Clause: "四(一)", Quote: "共同设立种子基金，支持青年学者原创性研究", Commands: "establish-fund contribute-to-fund award-from-fund", Events: "lab.record.fund-established.v1 lab.record.fund-contributed.v1 lab.record.fund-awarded.v1", Query: oneLab, Field: "funds"},
	{Row: "C35", Clause: "四(一)", Quote: "积极发起、申请或参与国际和区域性的科研项目、大科学计划和大科学工程", Commands: "link-project", Events: "lab.record.project-linked.v1", Query: oneLab, Field: "projects"},
	{Row: "C36", Clause: "四(一)", Quote: "积极吸引和利用全球教育科技资源与社会资源", Commands: "pledge-commitment", Events: "lab.funding.pledged.v1", Query: "/v1/labs/{lab}/commitments", Field: "commitments"},
	{Row: "C37", Clause: "四(二)", Quote: "建立定期本科生访问、互换机制", Commands: "open-training-programme record-visit", Events: "lab.record.training-programme-opened.v1 lab.record.visit-recorded.v1", Query: oneLab, Field: "visits"},
	{Row: "C38", Clause: "四(二)", Quote: "实行研究生培养双导师制，双方机构联合培养，联合授予学位", Commands: "pair-supervisors award-joint-degrees", Events: "lab.record.supervisors-paired.v1 lab.record.joint-degrees-awarded.v1", Query: oneLab, Field: "supervisions"},
	{Row: "C39", Clause: "四(二)", Quote: "设立奖学金，接受国际学生申请学位教育", Commands: "establish-fund report-headcount", Events: "lab.record.fund-established.v1 lab.record.headcount-reported.v1", Query: oneLab, Field: "funds"},
	{Row: "C40", Clause: "四(二)", Quote: "设立青年创新基金，鼓励世界各国青年学生来实验室", Commands: "establish-fund award-from-fund", Events: "lab.record.fund-established.v1 lab.record.fund-awarded.v1", Query: oneLab, Field: "funds"},
	{Row: "C41", Clause: "四(二)", Quote: "各方成员每年应有一定数量的青年教师在对方机构进行学术交流访问", Commands: "record-visit file-annual-report", Events: "lab.record.visit-recorded.v1 lab.record.annual-report-filed.v1", Query: oneLab, Field: "visits"},
	{Row: "C42", Clause: "四(三)", Quote: "组建以合作双方高水平科研人员为主的学术带头人队伍", Commands: "appoint-member move-member end-member", Events: "lab.record.member-appointed.v1 lab.record.member-moved.v1 lab.record.member-ended.v1", Query: oneLab, Field: "members"},
	{Row: "C43", Clause: "四(三)", Quote: "引进其他国家学者到联合实验室长期工作", Commands: "appoint-member", Events: "lab.record.member-appointed.v1", Query: oneLab, Field: "members"},
	{Row: "C44", Clause: "四(三)", Quote: "建立访问学者制度，保持一定规模的国际流动研究人员", Commands: "adopt-instrument report-headcount", Events: instrument + " lab.record.headcount-reported.v1", Query: oneLab, Field: "counts"},
	{Row: "C45", Clause: "四(三)", Quote: "以科研方向和科研项目为牵引，招聘高水平博士后", Commands: "appoint-member", Events: "lab.record.member-appointed.v1", Query: oneLab, Field: "members"},
	{Row: "C46", Clause: "四(三)", Quote: "鼓励本科生尽早进入", Commands: "report-headcount", Events: "lab.record.headcount-reported.v1", Query: oneLab, Field: "counts"},
	{Row: "C47", Clause: "四(四)", Quote: "环境宽松、经费稳定", Commands: "schedule-instalments receive-contribution", Events: "lab.funding.scheduled.v1 lab.funding.received.v1", Query: "/v1/reports/funding", Field: "commitments"},
	{Row: "C48", Clause: "四(四)", Quote: "成立国际学术委员会或咨询委员会", Commands: "constitute-body appoint-member minute-meeting", Events: "lab.record.body-constituted.v1 lab.record.member-appointed.v1 lab.record.meeting-minuted.v1", Query: oneLab, Field: "bodies"},
	{Row: "C49", Clause: "四(四)", Quote: "聘请国际一流科学家担任实验室负责人", Commands: "appoint-member end-member", Events: "lab.record.member-appointed.v1 lab.record.member-ended.v1", Query: oneLab, Field: "members"},
	{Row: "C50", Clause: "四(四)", Quote: "逐步实行准聘——长聘制和年薪制", Commands: "adopt-instrument", Events: instrument, Query: oneLab, Field: "instruments"},
	{Row: "C51", Clause: "四(四)", Quote: "注重技术支撑队伍和管理服务队伍", Commands: "report-headcount", Events: "lab.record.headcount-reported.v1", Query: oneLab, Field: "counts"},
	{Row: "C52", Clause: "四(四)", Quote: "积极争取国内外大型企业、科研机构积极参与联合实验室建设", Commands: "amend-agreement sign-agreement withdraw-party succeed-party", Events: "lab.agreement.amendment-signed.v1 lab.agreement.party-withdrew.v1 lab.agreement.party-succeeded.v1", Query: "/v1/labs/{lab}/agreements", Field: "agreements"},
	{Row: "C53", Clause: "五", Quote: "分为培育组建、立项建设、验收认定三个步骤", Commands: "start-incubation approve-establishment recognise", Events: "lab.status.incubation-started.v1 lab.status.establishment-approved.v1 lab.status.recognised.v1", Query: "/v1/labs/{lab}/history", Field: "moves"},
	{Row: "C54", Clause: "五(一)", Quote: "签订法人间的合作协议", Commands: "sign-agreement", Events: "lab.agreement.signed.v1", Query: "/v1/labs/{lab}/agreements", Field: "agreements"},
	{Row: "C55", Clause: "五(一)", Quote: "落实建设任务，建立管理机构，制订整体实施方案", Commands: "assign-task establish-management-body adopt-plan", Events: "lab.record.task-assigned.v1 lab.record.management-body-established.v1 lab.record.plan-adopted.v1", Query: oneLab, Field: "tasks"},
	{Row: "C56", Clause: "五(一)", Quote: "明晰各方“责权利”", Commands: "add-right amend-right discharge-right waive-right record-breach cure-breach", Events: "lab.rights.added.v1 lab.rights.amended.v1 lab.rights.discharged.v1 lab.rights.waived.v1 lab.rights.breached.v1 lab.rights.cured.v1", Query: "/v1/labs/{lab}/matrix", Field: "rights"},
	{Row: "C57", Clause: "五(一)", Quote: "确定合作共建的联合实验室平台，开展科学研究、人才培养和机制创新", Commands: "start-incubation", Events: "lab.status.incubation-started.v1", Query: "/v1/labs/{lab}/readiness", Field: "incubation_start"},
	{Row: "C58", Clause: "五(一)", Quote: "要扩大联合实验室改革和运行的自主权", Commands: "grant-autonomy withdraw-autonomy", Events: instrument + " lab.record.instrument-repealed.v1", Query: oneLab, Field: "instruments"},
	{Row: "C59", Clause: "五(一)", Quote: "提供更加切实、有力的保障措施，并确保相关支持和政策及时、准确地落实到位", Commands: "promise-support deliver-support", Events: "lab.record.support-promised.v1 lab.record.support-delivered.v1", Query: oneLab, Field: "support"},
	{Row: "C60", Clause: "五(一)", Quote: "建立校内各部门间的协同工作机制", Commands: "adopt-instrument", Events: instrument, Query: oneLab, Field: "instruments"},
	{Row: "C61", Clause: "五(一)", Quote: "使之成为本校优先发展试验区和国际化人才特区", Commands: "adopt-instrument", Events: instrument, Query: oneLab, Field: "instruments"},
	{Row: "C62", Clause: "五(二)", Quote: "在培育组建2年以上并取得明显成效的基础上", Commands: "submit-application", Events: "lab.status.application-submitted.v1", Query: "/v1/labs/{lab}/readiness", Field: "incubation_start"},
	{Row: "C63", Clause: "五(二)", Quote: "对照立项评审指标体系进行自评", Commands: "complete-self-assessment", Events: "lab.review.self-assessment-completed.v1", Query: reviewsOf, Field: "reviews"},
	{Row: "C64", Clause: "五(二)", Quote: "经学校或省级主管部门正式向教育部推荐", Commands: "issue-recommendation withdraw-recommendation record-affiliation", Events: "lab.review.recommendation-issued.v1 lab.review.recommendation-withdrawn.v1 lab.review.affiliation-recorded.v1", Query: reviewsOf, Field: "reviews"},
	{Row: "C65", Clause: "五(二)", Quote: "提交《国际合作联合实验室建设申请书》", Commands: "freeze-package submit-application", Events: "lab.review.package-frozen.v1 lab.status.application-submitted.v1", Query: reviewsOf, Field: "reviews"},
	{Row: "C66", Clause: "五(二)", Quote: "教育部对照有关申报条件对申请书进行评审", Commands: "pass-formal-check return-application resubmit-application", Events: "lab.status.formal-check-passed.v1 lab.status.application-returned.v1 lab.status.application-resubmitted.v1", Query: reviewsOf, Field: "reviews"},
	{Row: "C67", Clause: "五(二)", Quote: "确定考察对象", Commands: "shortlist pass-over", Events: "lab.status.shortlisted.v1 lab.status.not-shortlisted.v1", Query: reviewsOf, Field: "moves"},
	{Row: "C68", Clause: "五(二)", Quote: "重点考察合作协议、组建基础、培育进展情况和未来3年发展规划", Commands: "assess-dimension", Events: "lab.review.dimension-assessed.v1", Query: reviewsOf, Field: "reviews"},
	{Row: "C69", Clause: "五(二)", Quote: "按照“一事一议”原则组织国内外专家现场考察情况确定立项建设单位", Commands: "hold-site-argumentation approve-establishment", Events: "lab.review.site-argumentation-held.v1 lab.status.establishment-approved.v1", Query: reviewsOf, Field: "reviews"},
	{Row: "C70", Clause: "五(二)", Quote: "实验室建设期为3年", Commands: "approve-establishment extend-construction", Events: "lab.status.establishment-approved.v1 lab.status.construction-extended.v1", Query: oneLab, Field: "construction"},
	{Row: "C71", Clause: "五(三)", Quote: "依托单位（高校）要加强对联合实验室的目标管理和阶段性评估", Commands: "set-stage-goal hold-stage-assessment", Events: "lab.review.stage-goal-set.v1 lab.review.stage-assessment-held.v1", Query: reviewsOf, Field: "reviews"},
	{Row: "C72", Clause: "五(三)", Quote: "统筹政策指导、经费支持和制度创新", Commands: "promise-support deliver-support", Events: "lab.record.support-promised.v1 lab.record.support-delivered.v1", Query: oneLab, Field: "support"},
	{Row: "C73", Clause: "五(三)", Quote: "建设期满达到验收标准的，可向教育部提出验收认定申请", Commands: "apply-for-acceptance", Events: "lab.status.acceptance-applied.v1", Query: "/v1/labs/{lab}/readiness", Field: "reviews"},
	{Row: "C74", Clause: "五(三)", Quote: "由教育部组织国际同行评估", Commands: "commission-peer-evaluation invite-expert record-opinion", Events: "lab.status.peer-evaluation-commissioned.v1 lab.review.expert-invited.v1 lab.review.opinion-recorded.v1", Query: reviewsOf, Field: "reviews"},
	{Row: "C75", Clause: "五(三)", Quote: "重点考察建设期间实验室的学科发展、科研成果、队伍汇聚、人才培养和管理运行等方面能力水平和国际化程度", Commands: "assess-cell", Events: "lab.review.cell-assessed.v1", Query: reviewsOf, Field: "reviews"},
	{Row: "C76", Clause: "五(三)", Quote: "在通过验收后正式开放运行", Commands: "pass-acceptance recognise open-lab issue-certificate", Events: "lab.status.acceptance-passed.v1 lab.status.recognised.v1 lab.status.opened.v1 lab.review.certificate-issued.v1", Query: reviewsOf, Field: "reviews"},
	{Row: "C77", Clause: "六", Quote: "教育部将集成各方支持措施和配套政策", Commands: "promise-support", Events: "lab.record.support-promised.v1", Query: oneLab, Field: "support"},
	{Row: "C78", Clause: "六", Quote: "高校是联合实验室建设的责任主体", Commands: "succeed-host", Events: "lab.record.host-succeeded.v1", Query: oneLab, Field: "host"},
	{Row: "C79", Clause: "六", Quote: "确保运行资金、实验室用房、仪器设备等运行保障资源投入到位", Commands: "pledge-commitment amend-commitment receive-contribution return-contribution fulfil-commitment cancel-commitment", Events: "lab.funding.pledged.v1 lab.funding.amended.v1 lab.funding.received.v1 lab.funding.returned.v1 lab.funding.fulfilled.v1 lab.funding.cancelled.v1", Query: "/v1/labs/{lab}/commitments", Field: "commitments"},
	{Row: "C80", Clause: "六", Quote: "积极拓展社会的投入渠道，形成多元化支持", Commands: "pledge-commitment", Events: "lab.funding.pledged.v1", Query: "/v1/labs/{lab}/commitments", Field: "commitments"},
	{Row: "C81", Clause: "六", Quote: "优化投入结构、提高投入效益，增强联合实验室自我发展的能力", Commands: "record-rate", Events: "lab.record.rate-recorded.v1", Query: "/v1/labs/{lab}/funding-structure", Field: "rates"},
	{Row: "C82", Clause: "六", Quote: "教育部将根据联合实验室建设情况，研究给予支持", Commands: "consider-ministry-support grant-ministry-support decline-ministry-support", Events: "lab.record.ministry-support-considered.v1 lab.record.ministry-support-decided.v1", Query: oneLab, Field: "ministry_support"},
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
