package api

import (
	"encoding/json"
	"strings"
	"time"
)

// The states of a task.
const (
	Enqueued   = "enqueued"
	Processing = "processing"
	Succeeded  = "succeeded"
	Failed     = "failed"
	Canceled   = "canceled"
)

// The types of tasks.
const (
	DocumentAdditionOrUpdate = "documentAdditionOrUpdate"
	DocumentEdition          = "documentEdition"
	DocumentDeletion         = "documentDeletion"
	SettingsUpdate           = "settingsUpdate"
	IndexCreation            = "indexCreation"
	IndexDeletion            = "indexDeletion"
	IndexUpdate              = "indexUpdate"
	IndexSwap                = "indexSwap"
	TaskCancelation          = "taskCancelation"
	TaskDeletion             = "taskDeletion"
	DumpCreation             = "dumpCreation"
	SnapshotCreation         = "snapshotCreation"
	Export                   = "export"
	UpgradeDatabase          = "upgradeDatabase"
	IndexCompaction          = "indexCompaction"
	NetworkTopologyChange    = "networkTopologyChange"
	DsrUpdate                = "dsrUpdate"
	DsrClear                 = "dsrClear"
)

// TaskStatuses lists the states in the order error texts do.
func TaskStatuses() []string { return []string{Enqueued, Processing, Succeeded, Failed, Canceled} }

// TaskTypes lists the types in the order error texts do.
func TaskTypes() []string {
	return []string{DocumentAdditionOrUpdate, DocumentEdition, DocumentDeletion, SettingsUpdate, IndexCreation,
		IndexDeletion, IndexUpdate, IndexSwap, TaskCancelation, TaskDeletion, DumpCreation, SnapshotCreation, Export,
		UpgradeDatabase, IndexCompaction, NetworkTopologyChange, DsrUpdate, DsrClear}
}

// GlobalTaskType tells whether tasks of this type belong to no single index; their indexUid is null.
func GlobalTaskType(kind string) bool {
	switch kind {
	case IndexSwap, TaskCancelation, TaskDeletion, DumpCreation, SnapshotCreation, Export, UpgradeDatabase,
		NetworkTopologyChange:
		return true
	default:
		return false
	}
}

// Task is the view of a task, with its keys in Meilisearch's order. Times are UTC.
type Task struct {
	UID        uint32          `json:"uid"`
	BatchUID   *uint32         `json:"batchUid"`
	IndexUID   *string         `json:"indexUid"`
	Status     string          `json:"status"`
	Type       string          `json:"type"`
	CanceledBy *uint32         `json:"canceledBy"`
	Details    *Details        `json:"details,omitempty"`
	Error      *Error          `json:"error"`
	Duration   *Duration       `json:"duration"`
	EnqueuedAt time.Time       `json:"enqueuedAt"`
	StartedAt  *time.Time      `json:"startedAt"`
	FinishedAt *time.Time      `json:"finishedAt"`
	Network    json.RawMessage `json:"network,omitempty"`
	Metadata   *string         `json:"customMetadata,omitempty"`
}

// Finished tells whether the task has reached its end.
func (t *Task) Finished() bool {
	return t.Status == Succeeded || t.Status == Failed || t.Status == Canceled
}

// Summary is what writes are answered with.
func (t *Task) Summary() TaskSummary {
	return TaskSummary{TaskUID: t.UID, IndexUID: t.IndexUID, Status: t.Status, Type: t.Type, EnqueuedAt: t.EnqueuedAt,
		Metadata: t.Metadata}
}

// TaskSummary is the body of a 202.
type TaskSummary struct {
	TaskUID    uint32    `json:"taskUid"`
	IndexUID   *string   `json:"indexUid"`
	Status     string    `json:"status"`
	Type       string    `json:"type"`
	EnqueuedAt time.Time `json:"enqueuedAt"`
	Metadata   *string   `json:"customMetadata,omitempty"`
}

// Details is what a task says about its work. Which members are present depends on the type; a count that is not known
// yet is null.
type Details struct {
	ReceivedDocuments Opt[uint64]          `json:"receivedDocuments,omitzero"`
	IndexedDocuments  Opt[uint64]          `json:"indexedDocuments,omitzero"`
	EditedDocuments   Opt[uint64]          `json:"editedDocuments,omitzero"`
	PrimaryKey        Opt[string]          `json:"primaryKey,omitzero"`
	ProvidedIDs       Opt[uint64]          `json:"providedIds,omitzero"`
	DeletedDocuments  Opt[uint64]          `json:"deletedDocuments,omitzero"`
	MatchedTasks      Opt[uint64]          `json:"matchedTasks,omitzero"`
	CanceledTasks     Opt[uint64]          `json:"canceledTasks,omitzero"`
	DeletedTasks      Opt[uint64]          `json:"deletedTasks,omitzero"`
	OriginalFilter    Opt[string]          `json:"originalFilter,omitzero"`
	DumpUID           Opt[string]          `json:"dumpUid,omitzero"`
	Context           Opt[json.RawMessage] `json:"context,omitzero"`
	Function          Opt[string]          `json:"function,omitzero"`
	*SettingsPatch
	Swaps              Opt[[]Swap]          `json:"swaps,omitzero"`
	UpgradeFrom        Opt[string]          `json:"upgradeFrom,omitzero"`
	UpgradeTo          Opt[string]          `json:"upgradeTo,omitzero"`
	URL                Opt[string]          `json:"url,omitzero"`
	APIKey             Opt[string]          `json:"apiKey,omitzero"`
	PayloadSize        Opt[string]          `json:"payloadSize,omitzero"`
	Indexes            Opt[json.RawMessage] `json:"indexes,omitzero"`
	OldIndexUID        Opt[string]          `json:"oldIndexUid,omitzero"`
	NewIndexUID        Opt[string]          `json:"newIndexUid,omitzero"`
	PreCompactionSize  Opt[string]          `json:"preCompactionSize,omitzero"`
	PostCompactionSize Opt[string]          `json:"postCompactionSize,omitzero"`
}

// TaskList is the answer of GET /tasks.
type TaskList struct {
	Results []*Task `json:"results"`
	Total   uint64  `json:"total"`
	Limit   uint32  `json:"limit"`
	From    *uint32 `json:"from"`
	Next    *uint32 `json:"next"`
}

// ParseTaskStatus reads a state in any case; the text is the reason when it is none.
func ParseTaskStatus(s string) (string, string) {
	return parseName(s, TaskStatuses(), "status", "statuses")
}

// ParseTaskType reads a type in any case; the text is the reason when it is none.
func ParseTaskType(s string) (string, string) { return parseName(s, TaskTypes(), "type", "types") }

func parseName(s string, names []string, one, many string) (string, string) {
	for _, name := range names {
		if strings.EqualFold(s, name) {
			return name, ""
		}
	}
	return "", "`" + s + "` is not a valid task " + one + ". Available " + many + " are " + quoteList(names) + "."
}

// DumpUID is the name of a dump that was begun at t.
func DumpUID(t time.Time) string {
	return strings.Replace(t.UTC().Format("20060102-150405.000"), ".", "", 1)
}
