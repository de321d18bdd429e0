package messages

import (
	"encoding/json"
	"time"
)

// Index is one index as clients see it.
type Index struct {
	UID        string
	PrimaryKey string // empty: not decided yet
	CreatedAt  time.Time
	UpdatedAt  time.Time
	// Settings is the client's view: the JSON object of api.Settings.
	Settings json.RawMessage
}
