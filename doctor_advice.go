package ab2d

import (
	"errors"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/minio/minio-go/v7"

	"cms.gov/ab2d/domain"
)

// onTheWay says what to do about an error that has nothing to do with who was
// asked, and nothing about others.
func onTheWay(err error, who string) string {
	var name *net.DNSError
	var network net.Error
	switch {
	case errors.As(err, &name):
		return "Check the name, and the name servers of this machine (/etc/resolv.conf)."
	case errors.Is(err, syscall.ECONNREFUSED):
		return "Check the address, and whether " + who + " runs and listens for other machines."
	case errors.As(err, &network) && network.Timeout():
		return "Have the way from this machine to " + who + " opened in the firewalls, or look why it is slow."
	}
	return ""
}

func adviceOnDatabase(err error) string {
	var said *pgconn.PgError
	if errors.As(err, &said) {
		switch {
		case strings.HasPrefix(said.Code, "28"): // invalid authorization
			return "Check the user and the password in database-url, and whether pg_hba.conf lets them in from here."
		case said.Code == "3D000": // no such database
			return "Make it with createdb, or correct its name in database-url."
		case said.Code == "42501": // insufficient privilege
			return "Run ab2d migrate --serving-role ROLE as the role that owns the tables, for the role that is to serve."
		case said.Code == "53300": // too many connections
			return "Raise max_connections in Postgres, or lower database-conns: each process takes so many."
		}
	}
	if advice := onTheWay(err, "Postgres"); advice != "" {
		return advice
	}
	return "Check database-url, and whether the database takes connections from here."
}

func adviceOnStore(err error, s3 bool) string {
	var said minio.ErrorResponse
	switch {
	case errors.Is(err, fs.ErrPermission):
		return "Let the user that this runs as write there."
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "Make room on that disk; exports wait until there is some."
	case !s3:
		return "Look at the disk: it has to be there and writable for the user that this runs as."
	case !errors.As(err, &said):
	case said.Code == minio.NoSuchBucket:
		return "Make the bucket, or correct s3-bucket; the service makes none."
	case said.Code == "InvalidAccessKeyId", said.Code == "SignatureDoesNotMatch", said.Code == "ExpiredToken":
		return "Check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the machine's role, and the clock of this machine."
	case said.StatusCode == http.StatusForbidden, said.StatusCode == http.StatusUnauthorized, said.StatusCode == http.StatusMethodNotAllowed:
		return "Give these keys s3:PutObject, s3:GetObject, s3:ListBucket, s3:DeleteObject and those for multipart uploads in the bucket."
	}
	if advice := onTheWay(err, "the store"); advice != "" {
		return advice
	}
	return "Check s3-endpoint, s3-bucket and s3-region, and the keys (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY); they must let objects be written, read, listed and deleted."
}

func adviceOnBFD(err error) string {
	switch {
	case strings.Contains(err.Error(), "remote error: tls"): // an alert, whose type is not to be had
		return "BFD does not take our certificate: give the one that is registered with BFD in bfd-cert and bfd-key, or bfd-keystore, before it ends."
	case domain.CodeOf(err) == domain.NotFound:
		return "Check bfd-url: it is the address of BFD without a path; /v1/fhir and /v2/fhir are added."
	case domain.CodeOf(err) == domain.Unavailable && strings.Contains(err.Error(), "certificate"):
		return "Have the certificate in bfd-cert or bfd-keystore registered with BFD for claims."
	case domain.CodeOf(err) == domain.Unavailable:
		if advice := onTheWay(err, "BFD"); advice != "" {
			return advice
		}
		return "Ask its operators; exports wait until it answers."
	}
	return "Check bfd-cert and bfd-key, which have to be PEM, or bfd-keystore and its password."
}

func adviceOnHPMS(err error) string {
	if advice := onTheWay(err, "HPMS"); advice != "" {
		return advice
	}
	switch text := err.Error(); {
	case strings.Contains(text, "404"):
		return "Check hpms-url: it is the address of HPMS without a path."
	case strings.Contains(text, "sign in"), strings.Contains(text, "secret"):
		return "Check hpms-key-id, and that hpms-secret-file has the secret that belongs to it: HPMS answers a wrong one with 500 too. If they are right, ask its operators."
	}
	return "Ask its operators; contracts stay as they are until it answers."
}
