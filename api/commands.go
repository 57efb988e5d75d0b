package api

import (
	"reflect"
	"slices"
	"strings"
	"unicode"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/key"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/person"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
)

// Command is one row of the table of commands, from which routes, the OpenAPI
// document, role checks and the command line are made.
type Command struct {
	Name      string        // as in the path: sign-agreement
	Aggregate string        // one of eventstore.Kinds
	Summary   domain.Text   // its effect
	Roles     []domain.Role // who may send it; in which relation, see relationOf
	Creates   bool          // it begins a new aggregate

	act    lab.Act // whose act it is; empty where that is no question
	input  reflect.Type
	decode func(body []byte) (any, error)
}

// Path returns the command's route.
func (c Command) Path() string {
	return "/v1/" + eventstore.Plural(c.Aggregate) + "/{" + c.Aggregate + "}/" + c.Name
}

// ID returns the name of the command among all commands: lab-rename, entity-rename.
func (c Command) ID() string { return c.Aggregate + "-" + c.Name }

// Commands returns every command, in the order of the programme.
func Commands() []Command { return slices.Clone(commands) }

// command returns the row of a command. Its name is that of its Go type:
// sign-agreement, for lab.SignAgreement.
func command[C any](aggregate string, roles []domain.Role, zh, en string) Command {
	var act lab.Act
	if c, ok := any(*new(C)).(lab.PartyCommand); ok {
		act = c.Reach().Act
	}
	return Command{
		act:       act,
		Name:      kebab(reflect.TypeFor[C]().Name()),
		Aggregate: aggregate,
		Summary:   domain.T(zh, en),
		Roles:     roles,
		input:     reflect.TypeFor[C](),
		decode: func(body []byte) (any, error) {
			var c C
			err := jsonFormat.Unmarshal(body, &c)
			return c, err
		},
	}
}

// kebab returns a Go name in kebab-case.
func kebab(name string) string {
	var b strings.Builder
	for i, r := range name {
		if unicode.IsUpper(r) && i > 0 {
			b.WriteByte('-')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return b.String()
}

// onLab returns the row of a lab's command. It panics if a partner may send the
// command and it has no Reach.
func onLab[C lab.Command](roles []domain.Role, zh, en string) Command {
	c := command[C]("lab", roles, zh, en)
	if !c.input.Implements(reflect.TypeFor[lab.PartyCommand]()) && slices.Contains(roles, domain.Partner) {
		panic("api: " + c.ID() + " has no method Reach, and partners may send it")
	}
	return c
}

func onEntity[C entity.Command](roles []domain.Role, zh, en string) Command {
	return command[C]("entity", roles, zh, en)
}

func onProgramme[C programme.Command](roles []domain.Role, zh, en string) Command {
	return command[C]("programme", roles, zh, en)
}

func onWebhook[C webhook.Command](roles []domain.Role, zh, en string) Command {
	return command[C]("webhook", roles, zh, en)
}

func onKey[C key.Command](roles []domain.Role, zh, en string) Command {
	return command[C]("key", roles, zh, en)
}

func onPerson[C person.Command](roles []domain.Role, zh, en string) Command {
	return command[C]("person", roles, zh, en)
}

func creates(c Command) Command {
	c.Creates = true
	return c
}

// The roles that send commands.
var (
	supporters    = []domain.Role{domain.Ministry, domain.Authority, domain.Host, domain.Officer}
	registrants   = []domain.Role{domain.Authority, domain.Host, domain.Partner, domain.Officer}
	hostSide      = []domain.Role{domain.Host, domain.Director, domain.Officer}
	parties       = []domain.Role{domain.Host, domain.Partner, domain.Officer}
	hostOrOfficer = []domain.Role{domain.Host, domain.Officer}
	host          = []domain.Role{domain.Host}
	applicants    = []domain.Role{domain.Authority, domain.Host}
	assessors     = []domain.Role{domain.Ministry, domain.Agency, domain.Officer}
	reviewers     = []domain.Role{domain.Ministry, domain.Agency}
	ministry      = []domain.Role{domain.Ministry}
	users         = []domain.Role{domain.Ministry, domain.Agency, domain.Authority, domain.Host, domain.Partner,
		domain.Director, domain.Officer}
)

// commands has a row for each command, with its roles and its effect in both
// languages. Duties are separate: no role may both hand in a submission and record
// the decision on it.
var commands = []Command{
	creates(onEntity[entity.Register](supporters, "登记法人", "Register a legal entity")),
	onEntity[entity.AddName](registrants, "增加名称", "Add a name"),
	onEntity[entity.Rename](registrants, "变更正式名称", "Change an official name"),
	onEntity[entity.AssertIdentifier](registrants, "登记标识符及其来源", "Assert an identifier, with its source"),
	onEntity[entity.CorroborateIdentifier](registrants, "以另一来源证实标识符", "Corroborate an identifier from another source"),
	onEntity[entity.WithdrawIdentifier](registrants, "撤回标识符", "Withdraw an identifier"),
	onEntity[entity.SucceedEntity](keepers, "登记法人由另一法人承继", "Record that another entity took its place"),
	onEntity[entity.MergeEntity](keepers, "登记法人并入另一法人", "Record that it merged into another entity"),
	onEntity[entity.CloseEntity](keepers, "登记法人终止", "Record that it closed"),

	creates(onProgramme[programme.RegisterProgramme](keepers, "登记计划", "Register a programme")),
	onProgramme[programme.AdoptPolicy](keepers, "登记政策文件", "Adopt a policy"),
	onProgramme[programme.SupersedePolicy](keepers, "登记政策文件被取代", "Record that a policy is superseded"),
	onProgramme[programme.OpenCall](keepers, "登记申报通知和申报时间", "Open a call with its window"),
	onProgramme[programme.PublishIndicatorSystem](keepers, "登记指标体系或验收标准", "Publish an indicator system or acceptance standard"),
	onProgramme[programme.IssueNotice](keepers, "登记载有多项决定的通知", "Record a notice that makes decisions known"),

	creates(onKey[key.Issue](key.Issuers, "签发服务密钥；答复中的 secret 即密钥，只在首次答复中显示", "Issue a service key; the first answer holds it as secret, and no other does")),
	onKey[key.Revoke](key.Issuers, "撤销服务密钥，立即生效", "Revoke a service key, at once"),

	onPerson[person.Erase](keepers, "删除一人的个人信息：销毁其密钥，事件保留但无法再读出所述何人", "Erase a person's data: the key is destroyed, events stay and nobody can read whom they name"),

	creates(onWebhook[webhook.Register](users, "登记推送端点；答复中的 secret 用于验证签名，只显示一次", "Register a webhook; the answer holds the secret that verifies its deliveries")),
	onWebhook[webhook.Change](users, "变更推送端点的网址、筛选条件和说明", "Change a webhook's URL, filter and description"),
	onWebhook[webhook.Pause](users, "暂停推送", "Pause delivery"),
	onWebhook[webhook.Resume](users, "恢复推送，从停止处继续", "Resume delivery where it stopped"),
	onWebhook[webhook.RotateSecret](users, "更换签名密钥；此后 24 小时内新旧密钥同时有效", "Rotate the signing secret; the old one holds for another 24 hours"),
	onWebhook[webhook.Replay](users, "重新推送已搁置的事件，或从账本某一位置起的全部事件", "Deliver parked events again, or all from a position on"),
	onWebhook[webhook.Remove](users, "删除推送端点，待推送的事件一并放弃", "Remove a webhook, and what was still to be delivered to it"),

	creates(onLab[lab.Propose](supporters, "登记联合实验室（筹备）", "Propose a joint laboratory")),
	onLab[lab.Rename](hostSide, "登记新名称", "Give the lab a further name"),
	onLab[lab.SetDiscipline](hostSide, "设定学科", "Set the lab's discipline"),
	onLab[lab.LinkPlatform](hostSide, "登记依托平台", "Link a platform the lab builds on"),
	onLab[lab.UnlinkPlatform](hostSide, "解除依托平台", "Unlink a platform"),
	onLab[lab.NamePartner](keepers, "登记来源所称的合作单位", "Name a partner that a source gives"),
	onLab[lab.AssertFact](keepers, "登记来源所述的事实", "Assert what a source states"),
	onLab[lab.RecordHistory](keepers, "据来源登记既有实验室的状态", "Take over the status a source gives"),

	onLab[lab.DraftAgreement](parties, "登记协议草案", "Draft an agreement"),
	onLab[lab.ClassifyAgreement](assessors, "认定协议类别", "Classify an agreement"),
	onLab[lab.SignAgreement](parties, "登记一方对协议或修正案的签署", "Sign an agreement or one of its amendments"),
	onLab[lab.AmendAgreement](parties, "提出协议修正案", "Propose an amendment to an agreement"),
	onLab[lab.RenewAgreement](parties, "续签协议", "Renew an agreement"),
	onLab[lab.TerminateAgreement](parties, "终止协议", "Terminate an agreement"),
	onLab[lab.SupersedeAgreement](parties, "以另一协议取代协议", "Supersede an agreement by another"),
	onLab[lab.WithdrawParty](parties, "登记一方退出协议", "Record that a party leaves an agreement"),
	onLab[lab.SucceedParty](parties, "登记一方由另一法人承继", "Record that another entity takes a party's place"),

	onLab[lab.AddRight](parties, "登记责、权、利条目", "Add a responsibility, right or interest"),
	onLab[lab.AmendRight](parties, "修改责、权、利条目", "Amend an item of the matrix"),
	onLab[lab.DischargeRight](parties, "登记条目已履行", "Record that an item was carried out"),
	onLab[lab.WaiveRight](parties, "登记条目被豁免", "Record that an item was waived"),
	onLab[lab.RecordBreach](parties, "登记违反条目", "Record a breach of an item"),
	onLab[lab.CureBreach](parties, "登记违反已纠正", "Record that a breach was made good"),

	onLab[lab.PledgeCommitment](parties, "登记投入承诺", "Pledge a commitment"),
	onLab[lab.FirmUpCommitment](parties, "登记承诺已落实", "Record the document that binds a commitment"),
	onLab[lab.AmendCommitment](parties, "变更承诺数额", "Change how much is committed"),
	onLab[lab.ScheduleInstalments](parties, "设定分期到位计划", "Schedule a commitment's instalments"),
	onLab[lab.ReceiveContribution](hostOrOfficer, "登记投入到位", "Record a delivery"),
	onLab[lab.ReturnContribution](hostOrOfficer, "登记退回", "Record that something received was given back"),
	onLab[lab.FulfilCommitment](hostOrOfficer, "登记承诺全部兑现", "Close a commitment that is complete"),
	onLab[lab.CancelCommitment](parties, "取消承诺", "Cancel the rest of a commitment"),

	onLab[lab.AttestIndependence](host, "证明实验室为相对独立的科研实体", "Attest that the lab is relatively independent"),
	onLab[lab.AdoptPlan](hostSide, "登记整体实施方案", "Adopt an implementation plan"),
	onLab[lab.AssignTask](hostSide, "落实建设任务", "Assign a construction task"),
	onLab[lab.EstablishManagementBody](hostSide, "登记管理机构", "Establish the management body"),

	onLab[lab.ConstituteBody](hostSide, "登记国际学术委员会、咨询委员会或理事会", "Constitute a committee or board"),
	onLab[lab.MinuteMeeting](hostSide, "登记会议纪要", "Record that a committee or board met"),
	onLab[lab.AppointMember](hostSide, "登记任职：负责人、学术带头人、引进团队、长期学者、博士后、委员", "Appoint a director, investigator, team leader, scholar, postdoc or committee member"),
	onLab[lab.MoveMember](hostSide, "登记成员变更任职单位", "Record that a member is employed elsewhere"),
	onLab[lab.EndMember](hostSide, "登记离任", "Record that a post is given up"),
	onLab[lab.AdoptInstrument](hostSide, "登记制度、机制或专区", "Adopt an institutional instrument"),
	onLab[lab.RepealInstrument](hostSide, "登记制度废止", "Repeal an instrument"),
	onLab[lab.GrantAutonomy](host, "授予实验室自主权", "Delegate powers to the lab"),
	onLab[lab.WithdrawAutonomy](host, "收回自主权", "Take delegated powers back"),
	onLab[lab.DeclareReform](hostSide, "登记改革措施", "Declare a reform measure"),
	onLab[lab.ReportReform](hostSide, "登记改革成效", "Report what came of a reform measure"),
	onLab[lab.EvidenceDiscipline](hostSide, "登记学科地位的证明", "Record evidence of the discipline's status"),
	onLab[lab.AssessPartner](assessors, "登记对外方水平的评估", "Record a judgement of a foreign party's standing"),
	onLab[lab.DesignateForeignUnit](parties, "指定或更换外方承担机构", "Designate or replace the institute of a foreign party"),
	onLab[lab.OpenTrainingProgramme](hostSide, "开办学生互换或联合学位项目", "Open an exchange or joint degree programme"),
	onLab[lab.AwardJointDegrees](hostSide, "登记联合授予的学位数", "Record joint degrees awarded"),
	onLab[lab.RecordVisit](parties, "登记交流访问人数", "Record how many people went on a visit"),
	onLab[lab.PairSupervisors](hostSide, "登记双导师", "Pair two supervisors"),
	onLab[lab.EstablishFund](parties, "设立种子基金、奖学金或青年创新基金", "Establish a seed, scholarship or youth fund"),
	onLab[lab.ContributeToFund](hostOrOfficer, "登记向基金出资", "Record a payment into a fund"),
	onLab[lab.AwardFromFund](hostSide, "登记基金资助", "Record what a fund granted"),
	onLab[lab.RecordRate](hostOrOfficer, "登记汇率及其公布者", "Record an exchange rate with its source"),
	onLab[lab.SetObjective](hostSide, "设定目标的指标、基线和目标值", "Set an indicator with its baseline and target"),
	onLab[lab.ReportIndicator](hostSide, "登记指标值", "Report an indicator's value"),
	onLab[lab.SetDirection](hostSide, "确定研究方向", "Set a research direction"),
	onLab[lab.ChangeDirection](hostSide, "变更或结束研究方向", "Change or end a research direction"),
	onLab[lab.LinkProject](hostSide, "登记发起、申请或参与的项目", "Link a project and the lab's role in it"),
	onLab[lab.ReportHeadcount](hostSide, "登记人数", "Report a head-count"),
	onLab[lab.RecordOutput](hostSide, "登记成果", "Record an output"),
	onLab[lab.FoundSpinOff](hostSide, "登记成立衍生企业", "Record that a spin-off company was founded"),
	onLab[lab.FileAnnualReport](hostSide, "提交年度报告", "File an annual report"),
	onLab[lab.PromiseSupport](supporters, "登记支持措施及期限", "Promise a support measure by a day"),
	onLab[lab.DeliverSupport](supporters, "登记支持措施已落实", "Record that a support measure is there"),
	onLab[lab.ConsiderMinistrySupport](keepers, "登记教育部研究给予支持", "Record that the ministry considers support"),
	onLab[lab.GrantMinistrySupport](ministry, "教育部决定给予支持", "Grant ministry support"),
	onLab[lab.DeclineMinistrySupport](ministry, "教育部决定不给予支持", "Decline ministry support"),
	onLab[lab.SucceedHost](keepers, "登记依托单位由另一高校承继", "Record that another university takes the host's place"),

	onLab[lab.StartIncubation](applicants, "开始培育组建", "Start incubation"),
	onLab[lab.RecordAffiliation](keepers, "登记依托单位的隶属关系", "Record whom the host answers to"),
	onLab[lab.CompleteSelfAssessment](host, "对照指标体系完成自评", "Complete the self-assessment"),
	onLab[lab.FreezePackage](host, "固化申报材料", "Freeze the application package"),
	onLab[lab.IssueRecommendation](applicants, "正式推荐", "Recommend the lab to the ministry"),
	onLab[lab.WithdrawRecommendation](applicants, "撤回推荐", "Withdraw the recommendation"),
	onLab[lab.SubmitApplication](applicants, "推荐并提交建设申请书", "Submit the application for establishment"),
	onLab[lab.PassFormalCheck](reviewers, "通过形式审查", "Pass the formal check"),
	onLab[lab.ReturnApplication](reviewers, "退回补正", "Return the application for supplement"),
	onLab[lab.ResubmitApplication](applicants, "补正后重新提交", "Submit the supplemented application"),
	onLab[lab.Shortlist](reviewers, "确定为考察对象", "Shortlist for a site visit"),
	onLab[lab.PassOver](reviewers, "未列为考察对象", "Decide not to shortlist"),
	onLab[lab.InviteExpert](reviewers, "邀请专家", "Invite an expert to the review"),
	onLab[lab.AssessDimension](reviewers, "登记对一个方面的评审", "Assess one of the four dimensions"),
	onLab[lab.HoldSiteArgumentation](reviewers, "登记现场论证", "Record the site argumentation"),
	onLab[lab.RecordOpinion](reviewers, "登记专家意见", "Record an expert's opinion"),
	onLab[lab.DeclineEstablishment](ministry, "不予立项", "Decline establishment"),
	onLab[lab.ResumeIncubation](applicants, "恢复培育组建", "Resume incubation"),
	onLab[lab.ApproveEstablishment](ministry, "批准立项建设", "Approve establishment"),
	onLab[lab.ExtendConstruction](ministry, "延长建设期", "Extend construction"),
	onLab[lab.SetStageGoal](host, "设定阶段目标", "Set a stage goal"),
	onLab[lab.HoldStageAssessment](host, "登记阶段性评估", "Record a stage assessment"),
	onLab[lab.ApplyForAcceptance](host, "提出验收认定申请", "Apply for acceptance and recognition"),
	onLab[lab.CommissionPeerEvaluation](reviewers, "组织国际同行评估", "Commission the international peer evaluation"),
	onLab[lab.AssessCell](reviewers, "登记对一个方面能力水平或国际化程度的评估", "Assess a dimension of acceptance on one axis"),
	onLab[lab.PassAcceptance](ministry, "通过验收", "Decide that acceptance was passed"),
	onLab[lab.Recognise](ministry, "认定", "Recognise the lab"),
	onLab[lab.IssueCertificate](ministry, "颁发认定证书", "Issue the certificate of recognition"),
	onLab[lab.RecordEvaluation](reviewers, "登记认定后的定期评估", "Record an evaluation of a recognised lab"),
	onLab[lab.OpenLab](ministry, "正式开放运行", "Open the lab formally"),
	onLab[lab.RequireRectification](ministry, "要求限期整改", "Require rectification by a day"),
	onLab[lab.DecideNotPassed](ministry, "验收未通过", "Decide that acceptance was not passed"),
	onLab[lab.Suspend](ministry, "暂停运行", "Suspend the lab"),
	onLab[lab.Resume](ministry, "恢复运行", "Resume operation"),
	onLab[lab.Revoke](ministry, "撤销", "Revoke establishment or recognition"),
	onLab[lab.Withdraw](host, "主动退出", "Withdraw from the programme"),
	onLab[lab.Close](ministry, "终止", "Close the lab"),
}

// findCommand returns the command of that name on that kind of aggregate.
func findCommand(aggregate, name string) (Command, bool) {
	i := slices.IndexFunc(commands, func(c Command) bool { return c.Aggregate == aggregate && c.Name == name })
	if i < 0 {
		return Command{}, false
	}
	return commands[i], true
}
