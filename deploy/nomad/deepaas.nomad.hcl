# One server of one model: nomad job run deploy/nomad/deepaas.nomad.hcl
# The client needs a host volume "deepaas" that user 10001 may write, and max_kill_timeout of 60 s or more.
job "deepaas" {
  datacenters = ["*"]
  type        = "service"

  group "digits" {
    # One only: no two servers may use the same SQLite store from two machines.
    count = 1

    network {
      port "http" {
        to = 5000
      }
    }

    volume "state" {
      type   = "host"
      source = "deepaas"
    }

    update {
      health_check     = "checks"
      min_healthy_time = "10s"
      healthy_deadline = "5m"
    }

    service {
      name     = "deepaas-digits"
      port     = "http"
      provider = "nomad"

      check {
        name     = "ready"
        type     = "http"
        path     = "/health/ready"
        interval = "10s"
        timeout  = "5s"
      }
    }

    task "server" {
      driver = "docker"
      user   = "10001:10001"

      config {
        image           = "deepaas-digits:latest"
        ports           = ["http"]
        readonly_rootfs = true
        cap_drop        = ["all"]
        shm_size        = 134217728

        mount {
          type   = "tmpfs"
          target = "/tmp"

          tmpfs_options {
            size = 1073741824
          }
        }
      }

      volume_mount {
        volume      = "state"
        destination = "/var/lib/deepaas"
      }

      env {
        DEEPAAS_MODEL_NAME      = "digits"
        DEEPAAS_WORKERS         = "2"
        DEEPAAS_PREDICT_TIMEOUT = "60"
        DEEPAAS_DRAIN_TIMEOUT   = "30"
        DEEPAAS_AUTH_TOKEN_FILE = "${NOMAD_SECRETS_DIR}/tokens"
      }

      # nomad var put nomad/jobs/deepaas tokens="s3cret predict,train"
      template {
        destination = "${NOMAD_SECRETS_DIR}/tokens"
        uid         = 10001
        gid         = 10001
        perms       = "400"
        data        = "{{ with nomadVar \"nomad/jobs/deepaas\" }}{{ .tokens }}{{ end }}"
      }

      kill_signal  = "SIGTERM"
      kill_timeout = "60s"

      resources {
        cpu    = 2000
        memory = 2048
      }
    }
  }
}
