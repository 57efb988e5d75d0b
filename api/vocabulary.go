package api

import (
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/lab"
)

// vocabulary says what the members of the documents are called, a list by what
// one of it is. Every member has a row: a test compares it with the types.
var vocabulary = func() map[string]domain.Text {
	words := map[string]domain.Text{}
	for _, row := range [][3]string{
		{"accede", "加入方", "acceding party"}, {"acceptances", "验收", "acceptance"}, {"adopted", "通过日期", "adopted on"},
		{"affiliation", "隶属关系", "affiliation"}, {"affiliations", "所属单位", "affiliation"}, {"agreement", "协议", "agreement"},
		{"agreements", "协议", "agreement"}, {"amendment", "补充协议", "amendment"}, {"amendments", "补充协议", "amendment"},
		{"amount", "金额", "amount"}, {"annual_reports", "年度报告", "annual report"}, {"answers", "答复", "answer"},
		{"applications", "申请", "application"}, {"as", "来源所载名称", "as the source names it"}, {"asserted_by", "声明人", "asserted by"},
		{"attachments", "附件", "attachment"}, {"awards", "授予", "award"}, {"axis", "评估轴", "axis"},
		{"baseline", "基线值", "baseline"}, {"baseline_on", "基线日期", "day of the baseline"}, {"before", "此前", "before"},
		{"bodies", "机构", "body"}, {"body", "机构", "body"}, {"budget_line", "预算科目", "budget line"}, {"by", "办理人", "by"},
		{"by_call", "按通知受理", "applications by call only"}, {"calls", "申报通知", "call"}, {"cash", "现金", "cash"},
		{"cells", "评估格", "assessment"}, {"certificate", "认定文件", "certificate"}, {"charter", "章程", "charter"},
		{"class", "类别", "class"}, {"clause", "条款", "clause"}, {"closed", "关闭", "closed"}, {"closed_on", "关闭日期", "closed on"},
		{"commitments", "投入承诺", "commitment"}, {"construction", "建设期", "construction period"},
		{"construction_years", "建设年限", "years of construction"}, {"contributions", "到位", "contribution"},
		{"contributor", "出资方", "contributor"}, {"contributors", "出资方", "contributor"}, {"core", "核心标准", "core criterion"}, {"corrected_by", "更正人", "corrected by"},
		{"corroborated", "佐证", "corroboration"}, {"counterparty", "相对方", "counterparty"}, {"country", "国家或地区", "country or region"},
		{"counts", "人数", "headcount"}, {"criteria", "标准", "criterion"}, {"currency", "币种", "currency"},
		{"decided", "决定日期", "decided on"}, {"decision", "决定", "decision"}, {"decisions", "决定", "decision"},
		{"declaration", "回避声明", "declaration of interests"}, {"delegate", "委托", "delegation"}, {"delegation", "委托", "delegation"},
		{"delivered", "已到位", "delivered"}, {"departments", "部门", "department"}, {"digest", "摘要", "digest"},
		{"dimension", "方面", "dimension"}, {"dimensions", "方面评审", "dimension"}, {"direction", "方向", "direction"},
		{"directions", "研究方向", "direction of research"}, {"discipline", "学科", "discipline"},
		{"discipline_statuses", "学科地位", "standing of the discipline"}, {"distinctive", "特色", "distinctive"},
		{"document", "文件", "document"}, {"documents", "文本", "text"}, {"domain", "领域", "domain"}, {"due", "到期日", "due"},
		{"early_acceptance_allowed", "准予提前验收", "early acceptance allowed"}, {"effective", "施行期", "in effect"},
		{"en", "英文", "in English"}, {"ended", "终止", "ended"}, {"ended_on", "结束日期", "ended on"}, {"entity", "法人", "legal entity"},
		{"equipment", "设备", "equipment"}, {"established", "成立日期", "established on"}, {"evaluations", "评估", "evaluation"}, {"evaluation_years", "评估周期", "years between evaluations"},
		{"event", "事件", "event"}, {"events", "事件", "event"}, {"evidence", "证明材料", "evidence"}, {"expert", "专家", "expert"},
		{"excludes_bases", "不含国家级基地", "national bases left out"}, {"experts", "专家", "expert"}, {"facts", "来源事实", "fact"}, {"findings", "意见", "finding"}, {"firm", "已落实", "firm"},
		{"firm_on", "落实日期", "firm since"}, {"follows", "接续", "follows"}, {"foreign_units", "外方研究机构", "foreign research unit"},
		{"formal_check", "形式审查", "formal check"}, {"from", "起", "from"}, {"from_year", "起始年", "from year"}, {"funds", "基金", "fund"},
		{"goal", "目标", "goal"}, {"goals", "目标", "goal"}, {"governing_law", "适用法律", "governing law"}, {"ground", "理由", "ground"},
		{"high_level", "水平高", "high level"}, {"high_start", "起点高", "high start"}, {"host", "依托单位", "host"}, {"how", "方式", "how"},
		{"id", "编号", "id"}, {"identifier", "标识", "identifier"}, {"identifiers", "标识", "identifier"}, {"in_force", "生效日", "in force from"},
		{"in_force_from", "生效日", "in force from"}, {"incubation_start", "培育开始", "incubation since"},
		{"incubation_years", "培育年限", "years of incubation"}, {"independence", "独立性证明", "attestation of independence"},
		{"indicator", "指标", "indicator"}, {"indicators", "指标", "indicator"}, {"instruments", "制度", "instrument"}, {"into", "并入", "into"},
		{"issuer", "出具单位", "issuer"}, {"items", "条目", "item"}, {"joined", "加入日期", "joined on"}, {"kind", "种类", "kind"},
		{"lab", "实验室", "lab"}, {"lang", "语种", "language"}, {"languages", "语种", "language"}, {"lapses", "失效日", "lapses on"},
		{"lead", "牵头", "lead"}, {"left", "退出日期", "left on"}, {"legal_basis", "依据文件", "legal basis"}, {"level", "级别", "level"},
		{"link", "链接", "link"}, {"management_body", "管理机构", "management body"}, {"may_reapply", "可再次申请", "may apply again"}, {"opinions_to", "专家意见可见于", "opinions are open to"},
		{"meetings", "会议", "meeting"}, {"members", "人员", "member"}, {"merged_into", "并入", "merged into"},
		{"ministry_support", "教育部支持", "support by the ministry"}, {"minutes", "纪要", "minutes"}, {"mode", "申请方式", "mode"},
		{"modes", "申请方式", "mode"}, {"moves", "状态变动", "move"}, {"name", "名称", "name"}, {"names", "名称", "name"}, {"national_base", "国家级基地", "national base"}, {"no", "序号", "number"},
		{"notices", "通知", "notice"}, {"number", "数量", "number"}, {"objectives", "目标", "objective"}, {"on", "日期", "day"},
		{"opened", "开放日期", "opened on"}, {"opinion", "意见", "opinion"}, {"opinions", "专家意见", "opinion"}, {"outcome", "结论", "outcome"},
		{"outputs", "成果", "output"}, {"owner", "责任单位", "owner"}, {"package", "材料", "package"}, {"packages", "申报材料", "package"},
		{"paid", "缴款", "payment"}, {"parties", "缔约方", "party"}, {"partner_standings", "合作单位水平", "standing of a partner"},
		{"partners", "合作单位", "partner"}, {"party", "一方", "party"}, {"person", "人员", "person"}, {"persons", "人员", "person"},
		{"plans", "实施方案", "plan"}, {"platforms", "科研平台", "platform"}, {"policies", "政策文件", "policy"}, {"policy", "政策依据", "policy"},
		{"powers", "职权", "powers"}, {"premises", "用房", "premises"}, {"premises_m2", "用房面积", "premises in m²"}, {"present", "出席", "present"},
		{"programme", "计划", "programme"}, {"projects", "项目", "project"}, {"provider", "提供方", "provider"}, {"purpose", "用途", "purpose"},
		{"quantity", "数额", "quantity"}, {"rate", "比率", "rate"}, {"rates", "比率", "rate"}, {"reached", "已达到", "reached"},
		{"readings", "进展", "reading"}, {"reason", "理由", "reason"}, {"ref", "人员编号", "number of the person"}, {"recipients", "受益人数", "recipients"},
		{"recommendations", "推荐", "recommendation"}, {"recorded_by", "登记事件", "recorded by"}, {"rectify_by", "整改期限", "to rectify by"},
		{"reforms", "改革试点", "reform"}, {"repealed", "废止日期", "repealed on"}, {"replaced", "已替换", "replaced"}, {"reports", "报告", "report"},
		{"representative", "代表", "representative"}, {"result", "成效", "result"}, {"returned", "退回", "returned"}, {"returns", "退回", "return"},
		{"reviews", "评审", "review"}, {"rights", "责权利条目", "item"}, {"role", "角色", "role"}, {"rules", "规则版本", "edition of the rules"},
		{"runs", "期间", "runs"}, {"sample", "自拟样表", "a sample"}, {"schedule", "到位计划", "instalment"}, {"scheme", "标识体系", "scheme"},
		{"scope", "范围", "scope"}, {"self_assessments", "自评", "self-assessment"}, {"shortlisted", "入围日期", "shortlisted on"},
		{"side", "中方或外方", "side"}, {"signatures", "签署", "signature"}, {"since", "自", "since"},
		{"site_argumentation", "现场论证", "site argumentation"}, {"source", "来源", "source"}, {"staff_months", "人月", "staff months"},
		{"stage_assessments", "阶段性评估", "stage assessment"}, {"stage_goals", "阶段目标", "stage goal"}, {"standard", "标准", "standard"},
		{"state", "履行情况", "state"}, {"status", "状态", "status"}, {"status_since", "状态起始", "status since"}, {"stay", "访问期间", "stay"},
		{"students", "学生", "student"}, {"submissions", "提交", "submission"}, {"succeeds", "承继", "succeeds"}, {"summary", "摘要", "summary"},
		{"superseded_by", "被取代", "superseded by"}, {"supervisions", "联合指导", "joint supervision"}, {"supervisors", "导师", "supervisor"},
		{"support", "支持", "support"}, {"supports", "支撑", "supports"}, {"system", "指标体系", "indicator system"},
		{"systems", "指标体系", "indicator system"}, {"tag", "标签", "tag"}, {"target", "目标值", "target"}, {"tasks", "任务", "task"},
		{"team_size", "团队人数", "size of the team"}, {"term", "期限", "term"}, {"text", "内容", "text"}, {"title", "标题", "title"},
		{"to", "止", "to"}, {"to_year", "截止年", "to year"}, {"training_programmes", "培养项目", "training programme"}, {"unit", "单位", "unit"},
		{"unlinked", "解除日期", "unlinked on"}, {"unverified", "未核实", "unverified"}, {"valid", "有效期", "valid"}, {"value", "值", "value"},
		{"version", "版本", "version"}, {"visits", "访问", "visit"}, {"window", "受理期", "window"}, {"withdrawn", "撤回日期", "withdrawn on"},
		{"year", "年度", "year"}, {"zh", "中文", "in Chinese"},
	} {
		words[row[0]] = domain.T(row[1], row[2])
	}
	return words
}()

// codes says the values of members that hold a code; an empty Text where it is
// no code of theirs.
var codes = map[string]func(string) domain.Text{
	"status":   func(c string) domain.Text { return lab.Status(c).Text() },
	"state":    func(c string) domain.Text { return lab.ItemState(c).Text() },
	"class":    func(c string) domain.Text { return lab.Class(c).Text() },
	"kind":     func(c string) domain.Text { return entity.Kind(c).Text() },
	"outcome":  func(c string) domain.Text { return outcomes[c] },
	"decision": func(c string) domain.Text { return outcomes[c] },
	"level":    func(c string) domain.Text { return levels[c] },
}

var (
	outcomes = map[string]domain.Text{
		string(lab.NotOnShortlist): domain.T("未入围", "not shortlisted"), string(lab.Declined): domain.T("未获立项", "declined"),
		string(lab.Established): domain.T("批准立项", "established"), string(lab.Passed): domain.T("通过", "passed"),
		string(lab.ToRectify): domain.T("限期整改", "to rectify"), string(lab.NotPassed): domain.T("未通过", "not passed"),
		"granted": domain.T("准予", "granted"),
	}
	levels = map[string]domain.Text{
		string(lab.MinistryLevel): domain.T("教育部", "the ministry's"), string(lab.ProvinceLevel): domain.T("省级", "a province's"),
		string(lab.UniversityLevel): domain.T("校级", "a university's"),
	}
)

// roleNames says the capacities people act in.
var roleNames = map[domain.Role]domain.Text{
	domain.Ministry: domain.T("教育部", "the ministry"), domain.Agency: domain.T("评审机构", "review agency"),
	domain.Authority: domain.T("主管部门", "supervising authority"), domain.Host: domain.T("依托单位", "host"),
	domain.Partner: domain.T("合作单位", "partner"), domain.Director: domain.T("实验室主任", "director"),
	domain.Expert: domain.T("专家", "expert"), domain.Officer: domain.T("项目官员", "programme officer"), domain.Auditor: domain.T("审计员", "auditor"),
	Anonymous: domain.T("未经身份验证者", "anybody without a token"),
}
