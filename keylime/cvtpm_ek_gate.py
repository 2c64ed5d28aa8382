"""A gate in Keylime's registrar: an agent whose EK an ek_check_script refuses is not registered.

For push mode, in which no tenant runs that script, and for sites whose tenants are many. In registrar.conf, with
this file's folder in the registrar's PYTHONPATH:

    durable_attestation_import = cvtpm_ek_gate
    persistent_store_url = file:///usr/local/bin/cvtpm-keylime-ek-check

Keylime hands every registration to this class when it has written it and before it answers the agent: an agent
that is not active yet and has not got its challenge, then the same one when it has met the challenge. A refused
one is deleted and its request fails; so its agent never becomes active, and neither tenant nor verifier can learn
its AK. The script gets what a tenant gives it, and exit status 0 alone is a yes. Made for keylime 7.14.3.
"""
import base64
import os
import subprocess

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keylime import config, keylime_logging
from keylime.da.record import BaseRecordManagement, RecordManagementException
from keylime.tpm import tpm2_objects

LIMIT = 600  # seconds for the script; cvtpm's ends itself long before
logger = keylime_logging.init_logging("cvtpm_ek_gate")


class RecordManagement(BaseRecordManagement):
    def __init__(self, service, key_tls_pub=""):
        super().__init__(service, key_tls_pub)
        url = self.ps_url
        if service != "registrar":
            raise RecordManagementException(f"cvtpm_ek_gate is for the registrar, not for the {service}")
        if url.scheme != "file" or url.netloc or not os.path.isabs(url.path):
            raise RecordManagementException(f"persistent_store_url is '{url.geturl()}'; cvtpm_ek_gate wants "
                                            "file:///ABSOLUTE/PATH of the script that checks EKs")
        if not (os.path.isfile(url.path) and os.access(url.path, os.X_OK)):
            raise RecordManagementException(f"{url.path}, which is to check EKs, is no file that can be executed")
        self.script = url.path

    def record_create(self, agent_data, attestation_data, mb_policy_data, runtime_policy_data, service="auto",
                      signed_attributes="auto"):
        agent = agent_data["agent_id"]
        try:
            good, said = self.judge(agent_data)
        except Exception as error:  # whatever it is, it is no yes
            good, said = False, f"the check could not be made: {error!r}"
        if good:
            logger.info("EK of agent %s accepted: %s", agent, said)
            return
        forget(agent)
        logger.error("EK of agent %s refused, and its registration deleted: %s", agent, said)
        raise RecordManagementException(f"agent {agent} is not registered: its EK is refused")

    def judge(self, agent_data):
        """(yes or no, what the script said)"""
        if not agent_data.get("ek_tpm"):
            return False, "the agent has sent no EK"
        key = tpm2_objects.pubkey_from_tpm2b_public(base64.b64decode(agent_data["ek_tpm"]))
        env = {**os.environ, "AGENT_UUID": agent_data["agent_id"], "EK_TPM": agent_data["ek_tpm"],
               "EK": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
               "EK_CERT": agent_data.get("ekcert") or "", "PROVKEYS": "{}",
               "TPM_CERT_STORE": config.get("tenant", "tpm_cert_store")}
        result = subprocess.run([self.script], env=env, cwd=config.WORK_DIR, stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
        said = result.stdout.decode("ascii", "replace").strip() or f"nothing (exit status {result.returncode})"
        return result.returncode == 0, said


def forget(agent):
    from keylime.models import RegistrarAgent  # not before the registrar has its database

    registration = RegistrarAgent.get(agent)
    if registration:
        registration.delete()
