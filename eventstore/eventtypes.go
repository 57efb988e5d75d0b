package eventstore

import (
	"github.com/jointlab/jointlab/domain"
	"github.com/jointlab/jointlab/domain/entity"
	"github.com/jointlab/jointlab/domain/key"
	"github.com/jointlab/jointlab/domain/lab"
	"github.com/jointlab/jointlab/domain/person"
	"github.com/jointlab/jointlab/domain/programme"
	"github.com/jointlab/jointlab/domain/webhook"
)

// eventType is the row of an event type beside its stored name.
type eventType struct {
	event domain.Event
	dated string // member of the data that holds the day it happened in the world
}

// Where an event type has its day. An event is undated where it tells what is
// talked about, or known, and not since when: neither a deadline nor the day of
// a baseline is a day on which something happened.
const (
	on       = "on"
	recorded = "(recorded)" // the day in China on which the register recorded it
	undated  = ""
)

// eventTypes has a row for each event type, by the name it is stored under. A
// name once released is never changed or reused: a new shape gets a new version.
var eventTypes = map[string]eventType{
	"entity.registered.v1":              {entity.Registered{}, "established"},
	"entity.name-added.v1":              {entity.NameAdded{}, "name.valid.from"},
	"entity.renamed.v1":                 {entity.Renamed{}, on},
	"entity.identifier-asserted.v1":     {entity.IdentifierAsserted{}, undated},
	"entity.identifier-corroborated.v1": {entity.IdentifierCorroborated{}, undated},
	"entity.identifier-withdrawn.v1":    {entity.IdentifierWithdrawn{}, undated},
	"entity.succeeded.v1":               {entity.Succeeded{}, on},
	"entity.merged.v1":                  {entity.Merged{}, on},
	"entity.closed.v1":                  {entity.Closed{}, on},
	"entity.corrected.v1":               {entity.Corrected{}, undated}, // counts as the event it restates
	"entity.voided.v1":                  {entity.Voided{}, undated},

	"programme.registered.v1":                 {programme.Registered{}, undated},
	"programme.policy-adopted.v1":             {programme.PolicyAdopted{}, "effective.from"},
	"programme.policy-superseded.v1":          {programme.PolicySuperseded{}, on},
	"programme.call-opened.v1":                {programme.CallOpened{}, "window.from"},
	"programme.indicator-system-published.v1": {programme.IndicatorSystemPublished{}, "effective.from"},
	"programme.notice-issued.v1":              {programme.NoticeIssued{}, on},
	"programme.corrected.v1":                  {programme.Corrected{}, undated},
	"programme.voided.v1":                     {programme.Voided{}, undated},

	"key.issued.v1":  {key.Issued{}, recorded}, // what is done to a key is done by recording it
	"key.revoked.v1": {key.KeyRevoked{}, recorded},

	"person.erased.v1": {person.Erased{}, recorded},

	"webhook.registered.v1":     {webhook.Registered{}, recorded}, // what is done to an endpoint is done by recording it
	"webhook.changed.v1":        {webhook.Changed{}, recorded},
	"webhook.paused.v1":         {webhook.EndpointPaused{}, recorded},
	"webhook.resumed.v1":        {webhook.EndpointResumed{}, recorded},
	"webhook.secret-rotated.v1": {webhook.SecretRotated{}, recorded},
	"webhook.replayed.v1":       {webhook.Replayed{}, recorded},
	"webhook.disabled.v1":       {webhook.EndpointDisabled{}, recorded},
	"webhook.removed.v1":        {webhook.EndpointRemoved{}, recorded},

	"lab.record.proposed.v1":                    {lab.Proposed{}, recorded}, // to be proposed is to be on record
	"lab.record.renamed.v1":                     {lab.Renamed{}, "name.valid.from"},
	"lab.record.corrected.v1":                   {lab.Corrected{}, undated},
	"lab.record.decision-questioned.v1":         {lab.DecisionQuestioned{}, recorded}, // the day it is noticed
	"lab.record.decision-settled.v1":            {lab.DecisionSettled{}, recorded},
	"lab.record.voided.v1":                      {lab.Voided{}, undated},
	"lab.record.discipline-set.v1":              {lab.DisciplineSet{}, undated},
	"lab.record.platform-linked.v1":             {lab.PlatformLinked{}, undated},
	"lab.record.platform-unlinked.v1":           {lab.PlatformUnlinked{}, on},
	"lab.record.partner-named.v1":               {lab.PartnerNamed{}, undated},
	"lab.record.fact-asserted.v1":               {lab.FactAsserted{}, on},
	"lab.record.independence-attested.v1":       {lab.IndependenceAttested{}, on},
	"lab.record.plan-adopted.v1":                {lab.PlanAdopted{}, on},
	"lab.record.task-assigned.v1":               {lab.TaskAssigned{}, undated},
	"lab.record.management-body-established.v1": {lab.ManagementBodyEstablished{}, on},

	"lab.record.body-constituted.v1":            {lab.BodyConstituted{}, on},
	"lab.record.meeting-minuted.v1":             {lab.MeetingMinuted{}, on},
	"lab.record.member-appointed.v1":            {lab.MemberAppointed{}, "term.from"},
	"lab.record.member-moved.v1":                {lab.MemberMoved{}, on},
	"lab.record.member-ended.v1":                {lab.MemberEnded{}, on},
	"lab.record.instrument-adopted.v1":          {lab.InstrumentAdopted{}, on},
	"lab.record.instrument-repealed.v1":         {lab.InstrumentRepealed{}, on},
	"lab.record.reform-declared.v1":             {lab.ReformDeclared{}, on},
	"lab.record.reform-reported.v1":             {lab.ReformReported{}, on},
	"lab.record.discipline-evidenced.v1":        {lab.DisciplineEvidenced{}, on},
	"lab.record.partner-assessed.v1":            {lab.PartnerAssessed{}, on},
	"lab.record.foreign-unit-designated.v1":     {lab.ForeignUnitDesignated{}, on},
	"lab.record.training-programme-opened.v1":   {lab.TrainingProgrammeOpened{}, "runs.from"},
	"lab.record.joint-degrees-awarded.v1":       {lab.JointDegreesAwarded{}, on},
	"lab.record.visit-recorded.v1":              {lab.VisitRecorded{}, "stay.from"},
	"lab.record.supervisors-paired.v1":          {lab.SupervisorsPaired{}, "from"},
	"lab.record.fund-established.v1":            {lab.FundEstablished{}, on},
	"lab.record.fund-contributed.v1":            {lab.FundContributed{}, on},
	"lab.record.fund-awarded.v1":                {lab.FundAwarded{}, on},
	"lab.record.rate-recorded.v1":               {lab.RateRecorded{}, on},
	"lab.record.objective-set.v1":               {lab.ObjectiveSet{}, undated},
	"lab.record.indicator-reported.v1":          {lab.IndicatorReported{}, on},
	"lab.record.direction-set.v1":               {lab.DirectionSet{}, "valid.from"},
	"lab.record.project-linked.v1":              {lab.ProjectLinked{}, "runs.from"},
	"lab.record.headcount-reported.v1":          {lab.HeadcountReported{}, on},
	"lab.record.output-recorded.v1":             {lab.OutputRecorded{}, on},
	"lab.record.spin-off-founded.v1":            {lab.SpinOffFounded{}, on},
	"lab.record.annual-report-filed.v1":         {lab.AnnualReportFiled{}, on},
	"lab.record.support-promised.v1":            {lab.SupportPromised{}, on},
	"lab.record.support-delivered.v1":           {lab.SupportDelivered{}, on},
	"lab.record.ministry-support-considered.v1": {lab.MinistrySupportConsidered{}, on},
	"lab.record.ministry-support-decided.v1":    {lab.MinistrySupportDecided{}, on},
	"lab.record.host-succeeded.v1":              {lab.HostSucceeded{}, on},

	"lab.agreement.drafted.v1":            {lab.AgreementDrafted{}, undated},
	"lab.agreement.classified.v1":         {lab.AgreementClassified{}, undated},
	"lab.agreement.signed.v1":             {lab.AgreementSigned{}, "signature.on"},
	"lab.agreement.amendment-proposed.v1": {lab.AmendmentProposed{}, undated},
	"lab.agreement.amendment-signed.v1":   {lab.AmendmentSigned{}, "signature.on"},
	"lab.agreement.renewed.v1":            {lab.AgreementRenewed{}, on},
	"lab.agreement.terminated.v1":         {lab.AgreementTerminated{}, on},
	"lab.agreement.superseded.v1":         {lab.AgreementSuperseded{}, on},
	"lab.agreement.party-withdrew.v1":     {lab.PartyWithdrew{}, on},
	"lab.agreement.party-succeeded.v1":    {lab.PartySucceeded{}, on},

	"lab.rights.added.v1":      {lab.RightAdded{}, undated},
	"lab.rights.amended.v1":    {lab.RightAmended{}, undated},
	"lab.rights.discharged.v1": {lab.RightDischarged{}, on},
	"lab.rights.waived.v1":     {lab.RightWaived{}, on},
	"lab.rights.breached.v1":   {lab.RightBreached{}, on},
	"lab.rights.cured.v1":      {lab.BreachCured{}, on},

	"lab.funding.pledged.v1":   {lab.CommitmentPledged{}, undated},
	"lab.funding.firmed.v1":    {lab.CommitmentFirmed{}, on},
	"lab.funding.amended.v1":   {lab.CommitmentAmended{}, undated},
	"lab.funding.scheduled.v1": {lab.InstalmentsScheduled{}, undated},
	"lab.funding.received.v1":  {lab.ContributionReceived{}, "contribution.on"},
	"lab.funding.returned.v1":  {lab.ContributionReturned{}, "contribution.on"},
	"lab.funding.fulfilled.v1": {lab.CommitmentFulfilled{}, on},
	"lab.funding.cancelled.v1": {lab.CommitmentCancelled{}, on},

	"lab.review.affiliation-recorded.v1":      {lab.AffiliationRecorded{}, undated},
	"lab.review.self-assessment-completed.v1": {lab.SelfAssessmentCompleted{}, on},
	"lab.review.package-frozen.v1":            {lab.PackageFrozen{}, on},
	"lab.review.recommendation-issued.v1":     {lab.RecommendationIssued{}, on},
	"lab.review.recommendation-withdrawn.v1":  {lab.RecommendationWithdrawn{}, on},
	"lab.review.expert-invited.v1":            {lab.ExpertInvited{}, on},
	"lab.review.site-argumentation-held.v1":   {lab.SiteArgumentationHeld{}, on},
	"lab.review.opinion-recorded.v1":          {lab.OpinionRecorded{}, on},
	"lab.review.dimension-assessed.v1":        {lab.DimensionAssessed{}, on},
	"lab.review.stage-goal-set.v1":            {lab.StageGoalSet{}, undated},
	"lab.review.stage-assessment-held.v1":     {lab.StageAssessmentHeld{}, on},
	"lab.review.cell-assessed.v1":             {lab.CellAssessed{}, on},
	"lab.review.certificate-issued.v1":        {lab.CertificateIssued{}, on},
	"lab.review.evaluation-recorded.v1":       {lab.EvaluationRecorded{}, on},

	"lab.status.not-shortlisted.v1":              {lab.NotShortlisted{}, on},
	"lab.status.acceptance-passed.v1":            {lab.AcceptancePassed{}, on},
	"lab.status.opened.v1":                       {lab.LabOpened{}, on},
	"lab.status.incubation-started.v1":           {lab.IncubationStarted{}, on},
	"lab.status.application-submitted.v1":        {lab.ApplicationSubmitted{}, on},
	"lab.status.application-resubmitted.v1":      {lab.ApplicationResubmitted{}, on},
	"lab.status.formal-check-passed.v1":          {lab.FormalCheckPassed{}, on},
	"lab.status.application-returned.v1":         {lab.ApplicationReturned{}, on},
	"lab.status.shortlisted.v1":                  {lab.Shortlisted{}, on},
	"lab.status.establishment-declined.v1":       {lab.EstablishmentDeclined{}, on},
	"lab.status.incubation-resumed.v1":           {lab.IncubationResumed{}, on},
	"lab.status.establishment-approved.v1":       {lab.EstablishmentApproved{}, on},
	"lab.status.construction-extended.v1":        {lab.ConstructionExtended{}, on},
	"lab.status.acceptance-applied.v1":           {lab.AcceptanceApplied{}, on},
	"lab.status.peer-evaluation-commissioned.v1": {lab.PeerEvaluationCommissioned{}, on},
	"lab.status.recognised.v1":                   {lab.Recognised{}, on},
	"lab.status.rectification-required.v1":       {lab.RectificationRequired{}, on},
	"lab.status.acceptance-not-passed.v1":        {lab.AcceptanceNotPassed{}, on},
	"lab.status.suspended.v1":                    {lab.Suspended{}, on},
	"lab.status.resumed.v1":                      {lab.Resumed{}, on},
	"lab.status.revoked.v1":                      {lab.Revoked{}, on},
	"lab.status.withdrawn.v1":                    {lab.Withdrawn{}, on},
	"lab.status.closed.v1":                       {lab.Closed{}, on},
	"lab.status.history-recorded.v1":             {lab.HistoryRecorded{}, on},
}
