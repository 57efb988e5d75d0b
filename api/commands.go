package api

import (
	"reflect"
	"slices"

	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/key"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/person"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/domain/webhook"
	"github.com/jointlab/jointlab/eventstore"
)

// Command is one row of the table of commands. Routes, the OpenAPI document,
// role checks and the command line all come from it, so they cannot disagree.
type Command struct {
	Name      string        // as in the path: sign-agreement
	Aggregate string        // one of eventstore.Kinds
	Summary   domain.Text   // what it does
	Roles     []domain.Role // who may send it, see access
	Creates   bool          // it begins a new aggregate

	input  reflect.Type
	decode func(body []byte) (any, error)
}

// Path is the command's route.
func (c Command) Path() string {
	return "/v1/" + eventstore.Plural(c.Aggregate) + "/{" + c.Aggregate + "}/" + c.Name
}

// ID names the command among all commands: lab-rename, entity-rename.
func (c Command) ID() string { return c.Aggregate + "-" + c.Name }

// Commands lists every command, in the order of the programme.
func Commands() []Command { return slices.Clone(commands) }

func command[C any](aggregate, name, zh, en string) Command {
	return Command{
		Name: name, Aggregate: aggregate, Summary: domain.T(zh, en), Roles: rolesByOperation[aggregate+"-"+name], input: reflect.TypeFor[C](),
		decode: func(body []byte) (any, error) {
			var c C
			err := jsonFormat.Unmarshal(body, &c)
			return c, err
		},
	}
}

func onLab[C lab.Command](name, zh, en string) Command {
	return command[C]("lab", name, zh, en)
}

func onEntity[C entity.Command](name, zh, en string) Command {
	return command[C]("entity", name, zh, en)
}

func onProgramme[C programme.Command](name, zh, en string) Command {
	return command[C]("programme", name, zh, en)
}

func onWebhook[C webhook.Command](name, zh, en string) Command {
	return command[C]("webhook", name, zh, en)
}

func onKey[C key.Command](name, zh, en string) Command {
	return command[C]("key", name, zh, en)
}

func onPerson[C person.Command](name, zh, en string) Command {
	return command[C]("person", name, zh, en)
}

func creates(c Command) Command {
	c.Creates = true
	return c
}

var commands = []Command{
	creates(onEntity[entity.Register]("register", "登记法人", "Register a legal entity")),
	onEntity[entity.AddName]("add-name", "增加名称", "Add a name"),
	onEntity[entity.Rename]("rename", "变更正式名称", "Change an official name"),
	onEntity[entity.AssertIdentifier]("assert-identifier", "登记标识符及其来源", "Assert an identifier, with its source"),
	onEntity[entity.CorroborateIdentifier]("corroborate-identifier", "以另一来源证实标识符", "Corroborate an identifier from another source"),
	onEntity[entity.WithdrawIdentifier]("withdraw-identifier", "撤回标识符", "Withdraw an identifier"),
	onEntity[entity.SucceedEntity]("succeed-entity", "登记法人由另一法人承继", "Record that another entity took its place"),
	onEntity[entity.MergeEntity]("merge-entity", "登记法人并入另一法人", "Record that it merged into another entity"),
	onEntity[entity.CloseEntity]("close-entity", "登记法人终止", "Record that it closed"),

	creates(onProgramme[programme.RegisterProgramme]("register-programme", "登记计划", "Register a programme")),
	onProgramme[programme.AdoptPolicy]("adopt-policy", "登记政策文件", "Adopt a policy"),
	onProgramme[programme.SupersedePolicy]("supersede-policy", "登记政策文件被取代", "Record that a policy is superseded"),
	onProgramme[programme.OpenCall]("open-call", "登记申报通知和申报时间", "Open a call with its window"),
	onProgramme[programme.PublishIndicatorSystem]("publish-indicator-system", "登记指标体系或验收标准", "Publish an indicator system or acceptance standard"),
	onProgramme[programme.IssueNotice]("issue-notice", "登记载有多项决定的通知", "Record a notice that makes decisions known"),

	creates(onKey[key.Issue]("issue", "签发服务密钥；答复中的 secret 即密钥，只在首次答复中显示", "Issue a service key; the first answer holds it as secret, and no other does")),
	onKey[key.Revoke]("revoke", "撤销服务密钥，立即生效", "Revoke a service key, at once"),

	onPerson[person.Erase]("erase", "删除一人的个人信息：销毁其密钥，事件保留但无法再读出所述何人", "Erase a person's data: the key is destroyed, events stay and nobody can read whom they name"),

	creates(onWebhook[webhook.Register]("register", "登记推送端点；答复中的 secret 用于验证签名，只显示一次", "Register a webhook; the answer holds the secret that verifies its deliveries")),
	onWebhook[webhook.Change]("change", "变更推送端点的网址、筛选条件和说明", "Change a webhook's URL, filter and description"),
	onWebhook[webhook.Pause]("pause", "暂停推送", "Pause delivery"),
	onWebhook[webhook.Resume]("resume", "恢复推送，从停止处继续", "Resume delivery where it stopped"),
	onWebhook[webhook.RotateSecret]("rotate-secret", "更换签名密钥；此后 24 小时内新旧密钥同时有效", "Rotate the signing secret; the old one holds for another 24 hours"),
	onWebhook[webhook.Replay]("replay", "重新推送已搁置的事件，或从账本某一位置起的全部事件", "Deliver parked events again, or all from a position on"),
	onWebhook[webhook.Remove]("remove", "删除推送端点，待推送的事件一并放弃", "Remove a webhook, and what was still to be delivered to it"),

	creates(onLab[lab.Propose]("propose", "登记联合实验室（筹备）", "Propose a joint laboratory")),
	onLab[lab.Rename]("rename", "登记新名称", "Give the lab a further name"),
	onLab[lab.SetDiscipline]("set-discipline", "设定学科", "Set the lab's discipline"),
	onLab[lab.LinkPlatform]("link-platform", "登记依托平台", "Link a platform the lab builds on"),
	onLab[lab.UnlinkPlatform]("unlink-platform", "解除依托平台", "Unlink a platform"),
	onLab[lab.NamePartner]("name-partner", "登记来源所称的合作单位", "Name a partner that a source gives"),
	onLab[lab.AssertFact]("assert-fact", "登记来源所述的事实", "Assert what a source states"),
	onLab[lab.RecordHistory]("record-history", "据来源登记既有实验室的状态", "Take over the status a source gives"),

	onLab[lab.DraftAgreement]("draft-agreement", "登记协议草案", "Draft an agreement"),
	onLab[lab.ClassifyAgreement]("classify-agreement", "认定协议类别", "Classify an agreement"),
	onLab[lab.SignAgreement]("sign-agreement", "登记一方对协议或修正案的签署", "Sign an agreement or one of its amendments"),
	onLab[lab.AmendAgreement]("amend-agreement", "提出协议修正案", "Propose an amendment to an agreement"),
	onLab[lab.RenewAgreement]("renew-agreement", "续签协议", "Renew an agreement"),
	onLab[lab.TerminateAgreement]("terminate-agreement", "终止协议", "Terminate an agreement"),
	onLab[lab.SupersedeAgreement]("supersede-agreement", "以另一协议取代协议", "Supersede an agreement by another"),
	onLab[lab.WithdrawParty]("withdraw-party", "登记一方退出协议", "Record that a party leaves an agreement"),
	onLab[lab.SucceedParty]("succeed-party", "登记一方由另一法人承继", "Record that another entity takes a party's place"),

	onLab[lab.AddRight]("add-right", "登记责、权、利条目", "Add a responsibility, right or interest"),
	onLab[lab.AmendRight]("amend-right", "修改责、权、利条目", "Amend an item of the matrix"),
	onLab[lab.DischargeRight]("discharge-right", "登记条目已履行", "Record that an item was carried out"),
	onLab[lab.WaiveRight]("waive-right", "登记条目被豁免", "Record that an item was waived"),
	onLab[lab.RecordBreach]("record-breach", "登记违反条目", "Record a breach of an item"),
	onLab[lab.CureBreach]("cure-breach", "登记违反已纠正", "Record that a breach was made good"),

	onLab[lab.PledgeCommitment]("pledge-commitment", "登记投入承诺", "Pledge a commitment"),
	onLab[lab.FirmUpCommitment]("firm-up-commitment", "登记承诺已落实", "Record the document that binds a commitment"),
	onLab[lab.AmendCommitment]("amend-commitment", "变更承诺数额", "Change how much is committed"),
	onLab[lab.ScheduleInstalments]("schedule-instalments", "设定分期到位计划", "Schedule a commitment's instalments"),
	onLab[lab.ReceiveContribution]("receive-contribution", "登记投入到位", "Record a delivery"),
	onLab[lab.ReturnContribution]("return-contribution", "登记退回", "Record that something received was given back"),
	onLab[lab.FulfilCommitment]("fulfil-commitment", "登记承诺全部兑现", "Close a commitment that is complete"),
	onLab[lab.CancelCommitment]("cancel-commitment", "取消承诺", "Cancel the rest of a commitment"),

	onLab[lab.AttestIndependence]("attest-independence", "证明实验室为相对独立的科研实体", "Attest that the lab is relatively independent"),
	onLab[lab.AdoptPlan]("adopt-plan", "登记整体实施方案", "Adopt an implementation plan"),
	onLab[lab.AssignTask]("assign-task", "落实建设任务", "Assign a construction task"),
	onLab[lab.EstablishManagementBody]("establish-management-body", "登记管理机构", "Establish the management body"),

	onLab[lab.ConstituteBody]("constitute-body", "登记国际学术委员会、咨询委员会或理事会", "Constitute a committee or board"),
	onLab[lab.MinuteMeeting]("minute-meeting", "登记会议纪要", "Record that a committee or board met"),
	onLab[lab.AppointMember]("appoint-member", "登记任职：负责人、学术带头人、引进团队、长期学者、博士后、委员", "Appoint a director, investigator, team leader, scholar, postdoc or committee member"),
	onLab[lab.MoveMember]("move-member", "登记成员变更任职单位", "Record that a member is employed elsewhere"),
	onLab[lab.EndMember]("end-member", "登记离任", "Record that a post is given up"),
	onLab[lab.AdoptInstrument]("adopt-instrument", "登记制度、机制或专区", "Adopt an institutional instrument"),
	onLab[lab.RepealInstrument]("repeal-instrument", "登记制度废止", "Repeal an instrument"),
	onLab[lab.GrantAutonomy]("grant-autonomy", "授予实验室自主权", "Delegate powers to the lab"),
	onLab[lab.WithdrawAutonomy]("withdraw-autonomy", "收回自主权", "Take delegated powers back"),
	onLab[lab.DeclareReform]("declare-reform", "登记改革措施", "Declare a reform measure"),
	onLab[lab.ReportReform]("report-reform", "登记改革成效", "Report what came of a reform measure"),
	onLab[lab.EvidenceDiscipline]("evidence-discipline", "登记学科地位的证明", "Record evidence of the discipline's status"),
	onLab[lab.AssessPartner]("assess-partner", "登记对外方水平的评估", "Record a judgement of a foreign party's standing"),
	onLab[lab.DesignateForeignUnit]("designate-foreign-unit", "指定或更换外方承担机构", "Designate or replace the institute of a foreign party"),
	onLab[lab.OpenTrainingProgramme]("open-training-programme", "开办学生互换或联合学位项目", "Open an exchange or joint degree programme"),
	onLab[lab.AwardJointDegrees]("award-joint-degrees", "登记联合授予的学位数", "Record joint degrees awarded"),
	onLab[lab.RecordVisit]("record-visit", "登记交流访问人数", "Record how many people went on a visit"),
	onLab[lab.PairSupervisors]("pair-supervisors", "登记双导师", "Pair two supervisors"),
	onLab[lab.EstablishFund]("establish-fund", "设立种子基金、奖学金或青年创新基金", "Establish a seed, scholarship or youth fund"),
	onLab[lab.ContributeToFund]("contribute-to-fund", "登记向基金出资", "Record a payment into a fund"),
	onLab[lab.AwardFromFund]("award-from-fund", "登记基金资助", "Record what a fund granted"),
	onLab[lab.RecordRate]("record-rate", "登记汇率及其公布者", "Record an exchange rate with its source"),
	onLab[lab.SetObjective]("set-objective", "设定目标的指标、基线和目标值", "Set an indicator with its baseline and target"),
	onLab[lab.ReportIndicator]("report-indicator", "登记指标值", "Report an indicator's value"),
	onLab[lab.SetDirection]("set-direction", "确定研究方向", "Set a research direction"),
	onLab[lab.ChangeDirection]("change-direction", "变更或结束研究方向", "Change or end a research direction"),
	onLab[lab.LinkProject]("link-project", "登记发起、申请或参与的项目", "Link a project and the lab's role in it"),
	onLab[lab.ReportHeadcount]("report-headcount", "登记人数", "Report a head-count"),
	onLab[lab.RecordOutput]("record-output", "登记成果", "Record an output"),
	onLab[lab.FileAnnualReport]("file-annual-report", "提交年度报告", "File an annual report"),
	onLab[lab.PromiseSupport]("promise-support", "登记支持措施及期限", "Promise a support measure by a day"),
	onLab[lab.DeliverSupport]("deliver-support", "登记支持措施已落实", "Record that a support measure is there"),
	onLab[lab.ConsiderMinistrySupport]("consider-ministry-support", "登记教育部研究给予支持", "Record that the ministry considers support"),
	onLab[lab.GrantMinistrySupport]("grant-ministry-support", "教育部决定给予支持", "Grant ministry support"),
	onLab[lab.DeclineMinistrySupport]("decline-ministry-support", "教育部决定不给予支持", "Decline ministry support"),
	onLab[lab.SucceedHost]("succeed-host", "登记依托单位由另一高校承继", "Record that another university takes the host's place"),

	onLab[lab.StartIncubation]("start-incubation", "开始培育组建", "Start incubation"),
	onLab[lab.RecordAffiliation]("record-affiliation", "登记依托单位的隶属关系", "Record whom the host answers to"),
	onLab[lab.CompleteSelfAssessment]("complete-self-assessment", "对照指标体系完成自评", "Complete the self-assessment"),
	onLab[lab.FreezePackage]("freeze-package", "固化申报材料", "Freeze the application package"),
	onLab[lab.IssueRecommendation]("issue-recommendation", "正式推荐", "Recommend the lab to the ministry"),
	onLab[lab.WithdrawRecommendation]("withdraw-recommendation", "撤回推荐", "Withdraw the recommendation"),
	onLab[lab.SubmitApplication]("submit-application", "推荐并提交建设申请书", "Submit the application for establishment"),
	onLab[lab.PassFormalCheck]("pass-formal-check", "通过形式审查", "Pass the formal check"),
	onLab[lab.ReturnApplication]("return-application", "退回补正", "Return the application for supplement"),
	onLab[lab.ResubmitApplication]("resubmit-application", "补正后重新提交", "Submit the supplemented application"),
	onLab[lab.Shortlist]("shortlist", "确定为考察对象", "Shortlist for a site visit"),
	onLab[lab.PassOver]("pass-over", "未列为考察对象", "Decide not to shortlist"),
	onLab[lab.InviteExpert]("invite-expert", "邀请专家", "Invite an expert to the review"),
	onLab[lab.AssessDimension]("assess-dimension", "登记对一个方面的评审", "Assess one of the four dimensions"),
	onLab[lab.HoldSiteArgumentation]("hold-site-argumentation", "登记现场论证", "Record the site argumentation"),
	onLab[lab.RecordOpinion]("record-opinion", "登记专家意见", "Record an expert's opinion"),
	onLab[lab.DeclineEstablishment]("decline-establishment", "不予立项", "Decline establishment"),
	onLab[lab.ResumeIncubation]("resume-incubation", "恢复培育组建", "Resume incubation"),
	onLab[lab.ApproveEstablishment]("approve-establishment", "批准立项建设", "Approve establishment"),
	onLab[lab.ExtendConstruction]("extend-construction", "延长建设期", "Extend construction"),
	onLab[lab.SetStageGoal]("set-stage-goal", "设定阶段目标", "Set a stage goal"),
	onLab[lab.HoldStageAssessment]("hold-stage-assessment", "登记阶段性评估", "Record a stage assessment"),
	onLab[lab.ApplyForAcceptance]("apply-for-acceptance", "提出验收认定申请", "Apply for acceptance and recognition"),
	onLab[lab.CommissionPeerEvaluation]("commission-peer-evaluation", "组织国际同行评估", "Commission the international peer evaluation"),
	onLab[lab.AssessCell]("assess-cell", "登记对一个方面能力水平或国际化程度的评估", "Assess a dimension of acceptance on one axis"),
	onLab[lab.PassAcceptance]("pass-acceptance", "通过验收", "Decide that acceptance was passed"),
	onLab[lab.Recognise]("recognise", "认定", "Recognise the lab"),
	onLab[lab.IssueCertificate]("issue-certificate", "颁发认定证书", "Issue the certificate of recognition"),
	onLab[lab.RecordEvaluation]("record-evaluation", "登记认定后的定期评估", "Record an evaluation of a recognised lab"),
	onLab[lab.OpenLab]("open-lab", "正式开放运行", "Open the lab formally"),
	onLab[lab.RequireRectification]("require-rectification", "要求限期整改", "Require rectification by a day"),
	onLab[lab.DecideNotPassed]("decide-not-passed", "验收未通过", "Decide that acceptance was not passed"),
	onLab[lab.Suspend]("suspend", "暂停运行", "Suspend the lab"),
	onLab[lab.Resume]("resume", "恢复运行", "Resume operation"),
	onLab[lab.Revoke]("revoke", "撤销", "Revoke establishment or recognition"),
	onLab[lab.Withdraw]("withdraw", "主动退出", "Withdraw from the programme"),
	onLab[lab.Close]("close", "终止", "Close the lab"),
}

// find returns the command of that name on that sort of aggregate.
func find(aggregate, name string) (Command, bool) {
	i := slices.IndexFunc(commands, func(c Command) bool { return c.Aggregate == aggregate && c.Name == name })
	if i < 0 {
		return Command{}, false
	}
	return commands[i], true
}
