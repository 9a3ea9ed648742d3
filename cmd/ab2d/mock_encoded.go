package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/klauspost/compress/gzip"

	"cms.gov/ab2d/adapters/synthetic"
	"cms.gov/ab2d/domain"
	"cms.gov/ab2d/ports"
)

// encoded has a whole answer ready for everybody of a contract, so that a
// benchmark measures who asks: each has so many claims of about 7.8 KB of raw R4,
// the work by which CMS's BCDA was measured. The answers are in a file that has no name.
type encoded struct {
	file  *os.File
	at    map[domain.PatientID]extent
	plain int64
}

type extent struct{ offset, length int64 }

const (
	encodedContract = "S0030"
	encodedBytes    = 7_800
	encodedKinds    = 64 // different claims, from different people
)

// encode makes the answers, several at a time.
func encode(ctx context.Context, p *synthetic.Population, claims int) (*encoded, error) {
	kinds, err := encodedTemplates(ctx, p)
	if err != nil {
		return nil, err
	}
	file, err := os.CreateTemp("", "ab2d-mock-*")
	if err != nil {
		return nil, err
	}
	if err := os.Remove(file.Name()); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	e := &encoded{file: file, at: map[domain.PatientID]extent{}}
	people := make(chan synthetic.Enrollee)
	var mu sync.Mutex
	var end int64
	var making sync.WaitGroup
	for range 2 {
		making.Go(func() {
			var plain, packed bytes.Buffer
			z, _ := gzip.NewWriterLevel(nil, gzip.DefaultCompression) // the level is a good one
			for who := range people {
				plain.Reset()
				packed.Reset()
				writeAnswer(&plain, kinds, who, claims)
				z.Reset(&packed)
				_, _ = z.Write(plain.Bytes()) // into memory
				_ = z.Close()
				mu.Lock()
				if _, werr := file.WriteAt(packed.Bytes(), end); werr != nil {
					err = werr
				}
				e.at[who.Patient] = extent{end, int64(packed.Len())}
				end += int64(packed.Len())
				e.plain += int64(plain.Len())
				mu.Unlock()
			}
		})
	}
	for who := range p.Enrollees(encodedContract) {
		people <- who
	}
	close(people)
	making.Wait()
	return e, err
}

// answer implements bfdmock.World.Encoded.
func (e *encoded) answer(v domain.FHIRVersion, id domain.PatientID) ([]byte, bool) {
	x, ok := e.at[id]
	if !ok || v != domain.R4 {
		return nil, false
	}
	body := make([]byte, x.length)
	if _, err := e.file.ReadAt(body, x.offset); err != nil {
		return nil, false
	}
	return body, true
}

// What stands in a template where a claim's own values go.
const (
	idMark      = "@ID@"
	patientMark = "@PATIENT@"
	dayMark     = "@DAY@"
)

func writeAnswer(out *bytes.Buffer, kinds [][]byte, who synthetic.Enrollee, claims int) {
	day := domain.Date(0)
	for _, m := range who.Months.Months() {
		if m.First() >= synthetic.EarliestServed {
			day = m.First()
			break
		}
	}
	fmt.Fprintf(out, `{"resourceType":"Bundle","id":"%s","meta":{"lastUpdated":"%s"},"type":"searchset","total":%d,"link":[{"relation":"self","url":"https://localhost/v2/fhir/ExplanationOfBenefit?patient=%s"}],"entry":[`,
		who.Patient, time.Now().Add(24*time.Hour).UTC().Format(time.RFC3339), claims, who.Patient)
	last := int(who.Patient[len(who.Patient)-1]) + int(who.Patient[len(who.Patient)-3])
	for n := range claims {
		if n > 0 {
			out.WriteByte(',')
		}
		claim := bytes.ReplaceAll(kinds[(n*7+last)%len(kinds)], []byte(idMark), fmt.Appendf(nil, "carrier-%s%02d", who.Patient[1:], n))
		claim = bytes.ReplaceAll(claim, []byte(patientMark), []byte(who.Patient))
		claim = bytes.ReplaceAll(claim, []byte(dayMark), []byte(day.AddDays(n).String()))
		out.WriteString(`{"resource":`)
		out.Write(claim)
		out.WriteByte('}')
	}
	out.WriteString("]}")
}

// encodedTemplates makes templates of professional claims of different people.
func encodedTemplates(ctx context.Context, p *synthetic.Population) (all [][]byte, err error) {
	source := synthetic.NewClaims(p, time.Now)
	for who := range p.Enrollees(encodedContract) {
		r, err := source.Read(ctx, ports.ClaimsQuery{Version: domain.R4, Patient: who.Patient})
		if err != nil {
			return nil, err
		}
		for {
			claim, err := r.Next()
			if errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				return nil, err
			}
			if t := templateOf(claim, who.Patient); t != nil {
				all = append(all, t)
				break
			}
		}
		if err := r.Close(); err != nil {
			return nil, err
		}
		if len(all) == encodedKinds {
			return all, nil
		}
	}
	return nil, errors.New("there are too few claims to make answers of")
}

// member is a member of a JSON object.
type jsonMember struct {
	name  string
	value json.RawMessage
}

// templateOf makes a template of a professional claim: shortened in what no
// sponsor gets, the money, until it has the size. It is nil for other claims.
func templateOf(claim []byte, patient domain.PatientID) []byte {
	var head struct{ ID, Status, Created string }
	if json.Unmarshal(claim, &head) != nil || !bytes.HasPrefix([]byte(head.ID), []byte("carrier")) || head.Status != "active" {
		return nil
	}
	var out bytes.Buffer
	members := membersOf(claim)
	money := 0 // entries of a line's adjudication that stay
	for _, keep := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8} {
		if size := len(withoutMoney(members, keep)); size <= encodedBytes*103/100 {
			money = keep
		}
	}
	out.Write(withoutMoney(members, money))
	if out.Len() < encodedBytes*9/10 || out.Len() > encodedBytes*11/10 {
		return nil
	}
	t := bytes.ReplaceAll(out.Bytes(), []byte(`"id":"`+head.ID+`"`), []byte(`"id":"`+idMark+`"`))
	return bytes.ReplaceAll(t, []byte(patient), []byte(patientMark))
}

func withoutMoney(members []jsonMember, keep int) []byte {
	var out []jsonMember
	for _, m := range members {
		switch m.name {
		case "benefitBalance", "total", "payment":
			continue
		case "billablePeriod":
			m.value = json.RawMessage(`{"start":"` + dayMark + `","end":"` + dayMark + `"}`)
		case "meta":
			m.value = json.RawMessage(`{"lastUpdated":"2024-02-15T09:27:35.714+00:00"}`)
		case "item":
			var lines []json.RawMessage
			if json.Unmarshal(m.value, &lines) != nil {
				return nil
			}
			for i, line := range lines {
				var short []jsonMember
				for _, part := range membersOf(line) {
					var entries []json.RawMessage
					if part.name == "adjudication" && json.Unmarshal(part.value, &entries) == nil && len(entries) > keep {
						part.value, _ = json.Marshal(entries[:keep]) // what was JSON is JSON
					}
					short = append(short, part)
				}
				lines[i] = joinMembers(short)
			}
			m.value, _ = json.Marshal(lines)
		}
		out = append(out, m)
	}
	return joinMembers(out)
}

// membersOf takes an object apart, in its order.
func membersOf(object []byte) (all []jsonMember) {
	d := json.NewDecoder(bytes.NewReader(object))
	_, _ = d.Token() // its brace
	for d.More() {
		name, _ := d.Token()
		m := jsonMember{name: fmt.Sprint(name)}
		if d.Decode(&m.value) != nil {
			return all
		}
		all = append(all, m)
	}
	return all
}

func joinMembers(all []jsonMember) []byte {
	out := []byte{'{'}
	for i, m := range all {
		if i > 0 {
			out = append(out, ',')
		}
		out = append(fmt.Appendf(out, "%q:", m.name), m.value...)
	}
	return append(out, '}')
}
