package exportclient

import "time"

// Event is something that happened, for whoever watches. What is empty was not
// part of it.
type Event struct {
	Time time.Time `json:"time"`
	Kind Kind      `json:"event"`
	Text string    `json:"text,omitempty"` // in words, complete by itself

	Job      string   `json:"job,omitempty"` // the address of the export's status
	Percent  *int     `json:"percent,omitempty"`
	Wait     float64  `json:"waitSeconds,omitempty"`
	Status   int      `json:"status,omitempty"`
	File     string   `json:"file,omitempty"`
	Type     string   `json:"type,omitempty"`
	Have     int64    `json:"bytes,omitempty"`      // of the file as it is sent, so far
	Size     int64    `json:"size,omitempty"`       // of the file as it is sent, where known
	Plain    int64    `json:"plainBytes,omitempty"` // of the finished file, inflated
	Lines    int64    `json:"lines,omitempty"`
	SHA256   string   `json:"sha256,omitempty"` // of the finished file, inflated
	Verified []string `json:"verified,omitempty"`

	Files           int       `json:"files,omitempty"`
	TransactionTime string    `json:"transactionTime,omitempty"`
	Accounts        []Account `json:"enrollees,omitempty"`
	Problems        []Problem `json:"problems,omitempty"`
}

// Kind is what an event is about.
type Kind string

// The kinds of events, in the order in which an export has them.
const (
	Resumed  Kind = "resumed"  // an unfinished export was found in the folder
	Token    Kind = "token"    // a new token was had
	KickOff  Kind = "kick-off" // the order is on disk and about to be sent
	Started  Kind = "job"      // the server has accepted it
	Progress Kind = "progress" // how far the server is
	Waiting  Kind = "waiting"  // the server or the network asks for patience
	Complete Kind = "complete" // the server is done, and these are the files
	Begun    Kind = "file"     // a file is being fetched
	Received Kind = "received" // bytes of it came
	Again    Kind = "again"    // what came of a file was not right, and it is fetched again
	Placed   Kind = "placed"   // a file is whole, checked and in its place
	Done     Kind = "done"     // all files are
	Problems Kind = "problems" // what the error files say
)

// Account is what became of the enrollees of a contract, as AB2D's manifest tells it.
type Account struct {
	Contract  string `json:"contract"`
	Enrollees int    `json:"enrollees"`
	Exported  int    `json:"exported"`
	NoClaims  int    `json:"noClaims"`
	OptedOut  int    `json:"optedOut"`
	Failed    int    `json:"failed"`
}

// Problem is what issues of error files have in common, and how many there are.
// It names nobody; the files do.
type Problem struct {
	Severity string `json:"severity"`
	Code     string `json:"code"`
	Text     string `json:"text"`
	Next     string `json:"next,omitempty"`
	Count    int    `json:"count"`
	Again    int    `json:"retryable,omitempty"` // how many the server says may come when asked for again
}

// Serious reports whether data is missing on account of it.
func (p Problem) Serious() bool { return p.Severity == "error" || p.Severity == "fatal" }
