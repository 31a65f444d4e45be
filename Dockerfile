# dfworkbench for CPUs, with the packages of requirements.txt. It serves JupyterLab on the folder that is mounted at /lab:
#   docker build -t dfworkbench .
#   mkdir -p lab && docker run --rm -p 127.0.0.1:8888:8888 -v "$PWD/lab:/lab" --user "$(id -u):$(id -g)" dfworkbench
# or runs one command there:
#   docker run --rm -v "$PWD/lab:/lab" --user "$(id -u):$(id -g)" dfworkbench dfworkbench score clip.mp4 --checkpoint my_run

# -- everything but dfworkbench; .devcontainer/ starts here -----------------------------------------------------------
FROM python:3.11-slim AS packages
# Pango writes the PDF of a case file; git and make are for working on a clone
RUN apt-get update \
    && apt-get install -y --no-install-recommends git make libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0 \
    && rm -rf /var/lib/apt/lists/*
ENV PATH=/opt/venv/bin:$PATH PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1 OMP_WAIT_POLICY=PASSIVE
RUN python -m venv /opt/venv
COPY requirements.txt /opt/
# PyPI's torch brings CUDA, several GB. Both come from PyTorch's own index: builds of two indexes cannot be imported together.
RUN pip install $(grep -oE '^(torch|torchvision)==[0-9.]+' /opt/requirements.txt) --index-url https://download.pytorch.org/whl/cpu
RUN pip install -r /opt/requirements.txt

# -- the wheel, from the clone ----------------------------------------------------------------------------------------
FROM packages AS wheel
COPY . /src
WORKDIR /src
RUN python -m hatchling build -t wheel -d /wheel

# -- the workbench ----------------------------------------------------------------------------------------------------
FROM packages AS workbench
COPY --from=wheel /wheel /wheel
RUN pip install --no-deps /wheel/*.whl && install -d -o 1000 -g 1000 /lab
USER 1000:1000
# the home of whoever runs it is the mounted folder: settings of JupyterLab stay there, too
ENV HOME=/lab DFWORKBENCH_HOME=/lab
WORKDIR /lab
VOLUME /lab
EXPOSE 8888
CMD ["dfworkbench", "lab", "/lab", "--no-browser", "--ip", "0.0.0.0", "--port", "8888"]
